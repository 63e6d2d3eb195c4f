"""Where pictures lie: names of folders and buckets, and paths of objects."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from kyara.dataset.library.export.target import Target, find_root
from kyara.dataset.library.reading import LibraryPicture
from kyara.dataset.library.sources import (
    BucketPath,
    find_source,
    is_bucket,
    join_path,
    make_path,
    read_folder_name,
    refuse_buckets,
    relate_path,
)
from kyara.errors import BadInputError


def test_a_path_in_a_bucket_stays_the_url_that_it_is():
    path = make_path("s3://bucket/a b/初音.jpg")
    assert str(path) == os.fspath(path) == "s3://bucket/a b/初音.jpg"
    assert (path.name, path.stem, path.suffix) == ("初音.jpg", "初音", ".jpg")
    assert str(path.parent) == "s3://bucket/a b"
    assert str(path.with_name("b.png")) == "s3://bucket/a b/b.png"
    assert str(path.with_suffix(".txt")) == "s3://bucket/a b/初音.txt"
    assert str(path.relative_to(make_path("s3://bucket"))) == "a b/初音.jpg"
    assert path.is_relative_to(path.parent) and not path.is_relative_to(Path("/"))
    assert path == make_path("s3://bucket/a b/初音.jpg") and hash(path) == hash(BucketPath(str(path)))
    assert str(pickle.loads(pickle.dumps(path))) == str(path)
    assert str(make_path(Path("s3://bucket/a"))) == "s3://bucket/a", "as the command line gives it"
    assert not path.exists()
    assert is_bucket(path) and not is_bucket(make_path("/s3:/x"))


def test_names_are_joined_and_taken_apart_as_they_are():
    for folder in ("/", "/a/b", "s3://bucket", "s3://bucket/a b"):
        assert relate_path(join_path(folder, "c/../d.png"), folder) == "c/../d.png"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket//a/b//", "s3://bucket/a/b"),
    ],
)
def test_a_bucket_is_called_the_same_however_it_is_written(text, name):
    assert read_folder_name(text) == name


@pytest.mark.parametrize(
    "text", ["s3://", "s3:///", "s3://bucket/../x", "gs://bucket", "https://a.example/"]
)
def test_what_is_no_bucket_is_refused(text):
    with pytest.raises(BadInputError, match="s3://BUCKET"):
        read_folder_name(text)


def test_a_folder_is_called_by_its_place(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert read_folder_name(str(tmp_path / "link")) == os.path.realpath(tmp_path)


def test_files_lie_below_out_as_pictures_below_their_root(tmp_path):
    pictures = [
        LibraryPicture(make_path(path), "", 1, 1, ())
        for path in ("s3://bucket/a/x/1.png", "s3://bucket/a/2.png", "s3://other/1.png", "/home/r/1.png")
    ]
    target = Target(find_root(pictures[:2]), tmp_path)
    assert str(target.root) == "s3://bucket/a"
    assert [target.name_picture(one) for one in pictures[:2]] == ["x/1.png", "2.png"]
    assert target.place_beside(pictures[0], "1.png.xmp") == tmp_path / "x" / "1.png.xmp"
    assert Target(find_root(pictures[:3])).name_picture(pictures[2]) == "other/1.png"
    everywhere = Target(find_root(pictures), tmp_path)
    named = [everywhere.name_picture(one) for one in pictures]
    assert named == ["s3/bucket/a/x/1.png", "s3/bucket/a/2.png", "s3/other/1.png", "home/r/1.png"]
    with pytest.raises(BadInputError, match=r"s3://other/1\.png does not lie in s3://bucket/a"):
        target.relate(pictures[2])


def test_the_first_in_a_bucket_is_named_where_none_may_be():
    refuse_buckets(["/a", Path("/b")], "no.")
    with pytest.raises(BadInputError, match=r"^s3://bucket/b lies in a bucket: no\.$"):
        refuse_buckets(["/a", make_path("s3://bucket/b")], "no.")


def test_an_object_that_is_overwritten_in_the_same_second_is_another(s3_url):
    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    source, stamps = find_source(s3_url), []
    for data in (b"one", b"two"):
        client.put_object(Bucket=s3_url.removeprefix("s3://"), Key="a.png", Body=data)
        stamp, read = source.read(f"{s3_url}/a.png")
        (entry,) = source.list(s3_url)
        assert (read, entry.look(), source.stat(f"{s3_url}/a.png")) == (data, stamp, stamp)
        stamps.append(stamp)
    assert stamps[0].size == stamps[1].size and stamps[0].mtime_ns != stamps[1].mtime_ns
    assert source.exists(f"{s3_url}/a.png") and not source.exists(f"{s3_url}/b.png")
    with pytest.raises(FileNotFoundError):
        source.read(f"{s3_url}/b.png")


def test_more_objects_than_one_answer_holds_are_listed(s3_url):
    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    names = [f"{number:04}.png" for number in range(1100)]
    for name in names:
        client.put_object(Bucket=s3_url.removeprefix("s3://"), Key=f"a/{name}", Body=b"")
    assert [entry.name for entry in find_source(s3_url).list(f"{s3_url}/a")] == names
    assert [(entry.name, entry.is_folder) for entry in find_source(s3_url).list(s3_url)] == [("a", True)]
