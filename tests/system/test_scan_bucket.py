"""`scan s3://…` and what follows, against a real S3 server over the loopback."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from command_line import ROOT, run_kyara
from libraries import dump
from scanned import count, count_rows, draw_faces, draw_narrow
from services import find_free_port
from sqlalchemy import insert
from waiting import hold_process, wait_until

from kyara.dataset.library.groups.cutting import cut_thumbnail, find_faces_by_id
from kyara.dataset.library.looking import SHARD_PICTURES
from kyara.dataset.library.opening import open_library
from kyara.dataset.library.tables import FaceRow, PictureRow, RootRow
from kyara.storage.clock import tell_time


class Bucket:
    """An empty bucket, and the library of a scan of it."""

    def __init__(self, url: str, environment: dict[str, str], folder: Path, model: Path) -> None:
        self.url, self.prefix = url, f"{url}/pictures"
        self.library, self.model = folder / "library.db", model
        self._client = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"])
        self._name = url.removeprefix("s3://")

    def put(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=f"pictures/{key}", Body=data)

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._name, Key=f"pictures/{key}")

    def list_keys(self) -> list[str]:
        told = self._client.list_objects_v2(Bucket=self._name)
        return [one["Key"] for one in told.get("Contents", ())]

    def run(self, *arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        return run_kyara(*arguments, "--library", self.library, **more)

    def scan(self, *arguments: str | Path, check: bool = True) -> dict[str, int]:
        """Scan, by default what was scanned before; return the counts that are not 0."""
        done = self.run("scan", *arguments, "--model", self.model, "--json", check=check)
        return count(json.loads(done.stdout))


@pytest.fixture
def bucket(s3_url: str, s3_server, tmp_path: Path, tiny_bundle: Path) -> Bucket:
    return Bucket(s3_url, s3_server.environment, tmp_path, tiny_bundle)


def test_a_bucket_is_scanned_as_a_folder_is(bucket, tmp_path):
    folder = tmp_path / "pictures"
    names = ("1.png", "a/2.png", "a/b/初音 3.png", "a.png", "a-b/4.png")
    for number, name in enumerate(names):
        data = draw_faces(number) if number % 2 else draw_narrow(number)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        bucket.put(name, data)
    for marker in ("", "a/"):  # as some programs mark folders
        bucket.put(marker, b"")
    bucket.put("broken.png", b"no picture")
    (folder / "broken.png").write_bytes(b"no picture")
    for passed in (".hidden/5.png", "notes.txt", "a//6.png"):
        bucket.put(passed, draw_narrow(99))
    told = {"pictures": 6, "new": 6, "looked": 6, "failed": 1}
    assert bucket.scan(f"{bucket.prefix}/", check=False) == told
    other = tmp_path / "folder.db"
    run_kyara("scan", folder, "--library", other, "--model", bucket.model, check=False)
    ours, theirs = dump(str(bucket.library)), dump(str(other))
    assert [path for path, _, _ in ours] == [
        path.replace(str(folder), bucket.prefix) for path, _, _ in theirs
    ]
    for (_, row, faces), (_, their_row, their_faces) in zip(ours, theirs, strict=True):
        place = {"mtime_ns": 0, "folder": ""}
        assert row | place == their_row | place
        assert faces == their_faces
    assert sum(len(faces) for _, _, faces in ours) >= 4
    assert bucket.scan() == {"pictures": 6}, "nothing is opened again"


def test_new_changed_moved_copied_and_vanished_objects_are_followed(bucket):
    for number in range(6):
        bucket.put(f"{number}.png", draw_narrow(number))
    bucket.put("faces.png", draw_faces())
    assert bucket.scan(bucket.prefix) == {"pictures": 7, "new": 7, "looked": 7}
    before = {path: faces for path, _, faces in dump(str(bucket.library))}
    bucket.put("6.png", draw_narrow(6))
    bucket.put("0.png", draw_narrow(100))  # as long as before, and perhaps in the same second
    bucket.put("moved/faces.png", draw_faces())
    bucket.remove("faces.png")
    bucket.put("copies/1.png", draw_narrow(1))
    bucket.remove("5.png")
    bucket.put("4.png", draw_narrow(4))  # written again with the same content
    counts = bucket.scan()
    told = {"pictures": 8, "new": 2, "changed": 1, "moved": 1, "looked": 2, "missing": 1}
    assert counts == told
    after = {path: faces for path, _, faces in dump(str(bucket.library))}
    assert after[f"{bucket.prefix}/moved/faces.png"] == before[f"{bucket.prefix}/faces.png"] != []
    assert bucket.scan("--forget-missing") == {"pictures": 8, "forgotten": 1}


def test_pictures_that_move_between_a_folder_and_a_bucket_are_followed(bucket, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "faces.png").write_bytes(draw_faces())
    (folder / "narrow.png").write_bytes(draw_narrow(1))
    bucket.put("other.png", draw_narrow(2))
    assert bucket.scan(folder, bucket.prefix)["looked"] == 3
    bucket.put("faces.png", (folder / "faces.png").read_bytes())
    (folder / "faces.png").unlink()
    assert bucket.scan() == {"pictures": 3, "moved": 1}


def test_a_scan_that_is_killed_goes_on(bucket):
    count = 4 * SHARD_PICTURES
    for number in range(count):
        bucket.put(f"{number:03}.png", draw_narrow(number))
    common = ["scan", bucket.prefix, "--library", bucket.library, "--model", bucket.model]
    command = [sys.executable, "-m", "kyara", *map(str, common), "--workers", "1"]
    with hold_process(command, cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: count_rows(bucket.library) > 0)
        run.kill()
    assert run.returncode == -signal.SIGKILL
    rest = count - count_rows(bucket.library)
    assert 0 < rest < count
    assert bucket.scan(bucket.prefix) == {"pictures": count, "new": rest, "looked": rest}


def test_search_show_and_exports_tell_urls(bucket, tmp_path):
    bucket.put("a/faces 初音.png", draw_faces())
    bucket.put("b/faces.png", draw_faces(1))
    bucket.scan(bucket.prefix)
    name_everybody(bucket.library)
    keys = bucket.list_keys()
    shown = json.loads(bucket.run("library", "show", "--json").stdout)
    assert (shown["folders"], shown["pictures"]) == ([bucket.prefix], 2)
    found = json.loads(bucket.run("search", "Somebody", "--json").stdout)["pictures"]
    urls = [f"{bucket.prefix}/a/faces 初音.png", f"{bucket.prefix}/b/faces.png"]
    assert sorted(one["path"] for one in found) == urls
    out = tmp_path / "out"
    bucket.run("export", "csv", "--out", out / "faces.csv")
    table = (out / "faces.csv").read_text(encoding="utf-8")
    assert "a/faces 初音.png" in table and "b/faces.png" in table
    bucket.run("export", "xmp", "--out", out)
    bucket.run("export", "danbooru", "--out", out, "--root", bucket.url)
    bucket.run("export", "yolo", "--out", out / "yolo")
    assert (out / "yolo" / "labels" / "a" / "faces 初音.txt").exists()
    assert (out / "a" / "faces 初音.png.xmp").exists() and (out / "b" / "faces.png.xmp").exists()
    assert (out / "pictures" / "b" / "faces.txt").read_text(encoding="utf-8").startswith("somebody")
    told = subprocess.run(
        ["exiftool", "-json", "-struct", out / "b" / "faces.png.xmp"], capture_output=True, check=True
    )
    assert json.loads(told.stdout)[0]["Subject"] == ["Somebody"]
    with open_library(str(bucket.library)) as engine:
        (face,) = find_faces_by_id(engine, [1])
    assert cut_thumbnail(face).shape[2] == 3, "groups show crops of it"
    assert bucket.list_keys() == keys
    done = bucket.run("library", "forget", f"{bucket.prefix}/")
    assert done.stdout == "2 pictures were forgotten.\n"


def name_everybody(library: Path) -> None:
    """Have somebody be known in all pictures."""
    with closing(sqlite3.connect(library)) as connection, connection:
        connection.execute("DELETE FROM library_characters")
        connection.execute(
            "INSERT INTO library_characters VALUES (?, ?, ?)",
            ("somebody", '{"en": "Somebody"}', "{}"),
        )
        connection.execute(
            "UPDATE library_faces SET label = 'somebody', status = 'known', confidence = 0.9"
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scan", "PREFIX", "--watch"], "only folders can be watched"),
        (["scan", "--watch"], "only folders can be watched"),
        (["export", "xmp"], "Say with --out where on this machine the files go."),
        (["export", "hydrus"], "Say with --out where on this machine the files go."),
        (["export", "danbooru"], "Say with --out where on this machine the files go."),
        (["export", "metadata.jsonl"], "Say with --out where on this machine the files go."),
        (["export", "xmp", "--into-originals"], "nothing is written there"),
        (["export", "sort", "--out", "OUT"], "only pictures in folders can be sorted"),
    ],
)
def test_what_cannot_be_done_in_a_bucket_is_refused_before_any_work(
    bucket, known_bucket, tmp_path, arguments, message
):
    names = {"PREFIX": known_bucket.prefix, "OUT": str(tmp_path / "out")}
    done = known_bucket.run(*[names.get(one, one) for one in arguments], check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"kyara: {known_bucket.prefix}") and message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture
def known_bucket(bucket: Bucket, known_library: Path) -> Bucket:
    """A bucket that was scanned; nothing lies there any more."""
    shutil.copyfile(known_library, bucket.library)
    bucket.prefix = "s3://gone/pictures"
    return bucket


@pytest.fixture(scope="module")
def known_library(tmp_path_factory) -> Path:
    """A library with a picture in a bucket."""
    file = tmp_path_factory.mktemp("known") / "library.db"
    box = {"x": 1, "y": 1, "width": 8, "height": 8, "score": 1.0}
    seen = {"size": 9, "mtime_ns": 9, "sha256": "0" * 64, "width": 30, "height": 20, "seen_by": "test"}
    with open_library(str(file), new=True) as engine, engine.begin() as connection:
        connection.execute(insert(RootRow).values(id=1, path="s3://gone/pictures"))
        row = {"id": 1, "root": 1, "path": "a.png", "scanned_at": tell_time()}
        connection.execute(insert(PictureRow).values(**row, **seen))
        who = {"label": "somebody", "confidence": 0.9, "status": "known", "answered_by": "test"}
        made = {"picture": 1, "embedding": b"", "network": "test"}
        connection.execute(insert(FaceRow).values(**made, **box, **who))
    name_everybody(file)
    return file


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://", "names no bucket"),
        ("s3:///x", "cannot be read"),
        ("gs://bucket/x", "is no folder, and no s3://BUCKET/PREFIX"),
        ("URL/nothing", "cannot be read (nothing lies there)"),
        ("s3://no-such-bucket-here/x", "cannot be read (there is no such bucket)"),
    ],
)
def test_a_place_that_is_not_there_is_a_sentence(bucket, url, message):
    url = url.replace("URL", bucket.url)
    done = bucket.run("scan", url, "--model", bucket.model, "--json", check=False)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_is_away_loses_nothing(bucket, s3_server):
    bucket.put("faces.png", draw_faces())
    bucket.scan(bucket.prefix)
    before = dump(str(bucket.library))
    nobody = f"http://127.0.0.1:{find_free_port()}"
    done = bucket.run("scan", "--model", bucket.model, check=False, AWS_ENDPOINT_URL=nobody)
    assert done.returncode == 1 and "the store does not answer" in done.stderr
    bucket.remove("faces.png")
    done = bucket.run("scan", "--model", bucket.model, "--forget-missing", check=False)
    assert done.returncode == 1 and "nothing lies there" in done.stderr
    assert dump(str(bucket.library)) == before


def test_without_credentials_the_sentence_names_them(bucket):
    bucket.put("narrow.png", draw_narrow(1))
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    done = bucket.run("scan", bucket.prefix, "--model", bucket.model, check=False, **nobody)
    assert done.returncode == 1
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY say who asks" in done.stderr


def test_without_the_packages_the_sentence_says_what_brings_them(bucket, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "s3fs.py").write_text("raise ModuleNotFoundError(name='s3fs')\n")
    done = bucket.run("scan", bucket.prefix, check=False, PYTHONPATH=str(hidden))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("kyara: This needs the package s3fs, which is not installed: `")
    assert "requirements-scale.txt" in done.stderr and done.stderr.count("\n") == 1
    assert not bucket.library.exists()
