"""XMP into the pictures themselves, read back by exiftool and Pillow; and the way back to the byte."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_library import hash_picture
from PIL import Image, ImageCms, PngImagePlugin

from kyara.dataset.library.export.edits import apply_edits, describe_edits, find_edit, take_back
from kyara.dataset.library.export.embedding import NoRoomError, open_holder
from kyara.dataset.library.export.originals import plan_rewrite
from kyara.dataset.library.reading import LibraryFace, LibraryPicture
from kyara.errors import BadInputError

PIXELS = np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8)
MORE = [Image.fromarray(255 - PIXELS)]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = Image.Exif()
EXIF[0x010E] = "a picture"
EXIF[0x8298] = "(c) somebody"
TEXTS = PngImagePlugin.PngInfo()
TEXTS.add_text("parameters", "1girl, twintails\nSteps: 20")
TEXTS.add_itxt("Description", "説明")
TEXTS.add_text("Description2", "packed " * 20, zip=True)  # exiv2 would drop it
CLEAR = Image.fromarray(np.dstack([PIXELS, PIXELS[..., 0]]))

FILES: dict[str, tuple[Image.Image, dict[str, Any]]] = {
    "plain.jpg": (Image.fromarray(PIXELS), {}),
    "full.jpg": (Image.fromarray(PIXELS), {"exif": EXIF, "icc_profile": ICC, "comment": b"mine"}),
    "progressive.jpg": (Image.fromarray(PIXELS), {"progressive": True, "exif": EXIF}),
    "texts.png": (Image.fromarray(PIXELS), {"pnginfo": TEXTS, "icc_profile": ICC, "exif": EXIF}),
    "moving.png": (Image.fromarray(PIXELS), {"save_all": True, "append_images": MORE}),
    "lossy.webp": (Image.fromarray(PIXELS), {}),
    "lossless.webp": (Image.fromarray(PIXELS), {"lossless": True}),
    "clear.webp": (CLEAR, {"lossless": True}),
    "full.webp": (Image.fromarray(PIXELS), {"exif": EXIF.tobytes(), "icc_profile": ICC}),
    "moving.webp": (Image.fromarray(PIXELS), {"save_all": True, "append_images": MORE}),
    "full.tif": (Image.fromarray(PIXELS), {"exif": EXIF, "icc_profile": ICC}),
    "pages.tif": (
        Image.fromarray(PIXELS),
        {"save_all": True, "append_images": MORE, "compression": "tiff_lzw"},
    ),
}


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], LibraryPicture]:
    """Draws a picture with one face, as the library would know it."""

    def draw(name: str) -> LibraryPicture:
        image, options = FILES[name]
        path = tmp_path / name
        image.save(path, **options)
        return know(path)

    return draw


def know(path: Path) -> LibraryPicture:
    face = LibraryFace((10, 10, 20, 20), "miku", {"ja": "初音ミク"}, {"ja": "ボカロ"}, 0.9, "known")
    return LibraryPicture(path, hash_picture(path), 60, 40, (face,))


def write(picture: LibraryPicture) -> Path:
    rewrite = plan_rewrite(picture, "ja")
    rewrite.path.write_bytes(rewrite.new)
    return rewrite.path


def run_exiftool(*arguments: str | Path) -> bytes:
    command = ["exiftool", "-overwrite_original", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def read_tags(path: Path, *which: str) -> dict[str, Any]:
    return json.loads(run_exiftool("-json", "-struct", "-n", "-G1", "-a", *which, path))[0]


def read_frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        frames = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            frames.append(np.array(image))
    return frames


def list_rest(path: Path) -> dict[str, Any]:
    """Return all that exiftool reads but XMP, and what follows from the file's length and place."""
    found = read_tags(path, "--XMP-all:all", "--System:all", "-ee")
    moved = ("StripOffsets", "WebP_Flags", "File:FileType")  # WebP, and then extended WebP
    return {
        key: value
        for key, value in found.items()
        if not key.startswith(("XMP", "SourceFile", "ExifTool:")) and not key.endswith(moved)
    }


@pytest.mark.parametrize("has_more", [False, True], ids=["no XMP", "XMP of others"])
@pytest.mark.parametrize("name", FILES)
def test_xmp_is_added_and_nothing_else_changes(make, name, has_more):
    picture = make(name)
    others = ("-XMP:Rating=4", "-XMP-dc:Title-ja=二人", "-XMP-dc:Subject=holiday", "-XMP-dc:Source=here")
    if has_more:
        run_exiftool(*others, picture.path)
        picture = know(picture.path)
    old, frames, rest = picture.path.read_bytes(), read_frames(picture.path), list_rest(picture.path)
    assert write(picture) == picture.path
    found = read_tags(picture.path, "-XMP:all", "-validate", "-warning")
    assert found["XMP-dc:Subject"] == ["holiday"] * has_more + ["初音ミク", "ボカロ"]
    assert found["XMP-lr:HierarchicalSubject"] in ("ボカロ|初音ミク", ["ボカロ|初音ミク"])
    (region,) = found["XMP-mwg-rs:RegionInfo"]["RegionList"]
    area = {"X": 20 / 60, "Y": 20 / 40, "W": 20 / 60, "H": 20 / 40}
    assert region["Name"] == "初音ミク"
    assert {side: region["Area"][side] for side in area} == pytest.approx(area, abs=1e-6)
    if has_more:
        kept = ("XMP-xmp:Rating", "XMP-dc:Title-ja", "XMP-dc:Source")
        assert [found[key] for key in kept] == [4, "二人", "here"]
    for before, after in zip(frames, read_frames(picture.path), strict=True):
        np.testing.assert_array_equal(before, after)
    assert list_rest(picture.path).items() >= rest.items()
    again = plan_rewrite(know(picture.path), "ja")
    assert (again.state, again.edits) == ("same", ())
    edits = plan_rewrite(replace_content(picture, old), "ja").edits
    assert take_back(apply_edits(old, edits), describe_edits(edits)) == old


def replace_content(picture: LibraryPicture, content: bytes) -> LibraryPicture:
    picture.path.write_bytes(content)
    return replace(picture, sha256=hash_picture(picture.path))


def test_a_large_jpeg_keeps_its_scan_to_the_byte_and_what_follows(make):
    picture = make("full.jpg")
    data = picture.path.read_bytes()
    picture = replace_content(picture, data + b"a film behind the picture")
    write(picture)
    new = picture.path.read_bytes()
    scan = data.index(b"\xff\xda")
    assert new.endswith(data[scan:] + b"a film behind the picture")
    assert new.startswith(data[: data.index(b"\xff\xe2")])


@pytest.mark.parametrize("name", ["still.gif", "flat.bmp", "new.avif"])
def test_a_file_that_holds_no_xmp_gets_a_sidecar(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(PIXELS).save(path)
    before = path.read_bytes()
    rewrite = plan_rewrite(know(path), "ja")
    assert (rewrite.state, rewrite.picture, rewrite.why) == (
        "new",
        None,
        "files of its kind hold no XMP",
    )
    assert write(know(path)) == tmp_path / f"{name}.xmp"
    assert read_tags(tmp_path / f"{name}.xmp")["XMP-dc:Subject"] == ["初音ミク", "ボカロ"]
    assert path.read_bytes() == before
    assert plan_rewrite(know(path), "ja").state == "same"


def test_more_xmp_than_a_jpeg_holds_goes_into_a_sidecar(make, tmp_path):
    picture = make("plain.jpg")
    run_exiftool("-XMP-dc:Description=" + "x" * 65_000, picture.path)
    assert write(know(picture.path)) == tmp_path / "plain.jpg.xmp"


def test_xmp_that_is_continued_elsewhere_in_a_jpeg_stays(make):
    picture = make("plain.jpg")
    text = "".join(np.random.default_rng(0).choice(list("abcdefgh "), 150_000))
    (picture.path.parent / "text").write_text(text)
    run_exiftool(
        "-XMP-dc:Subject=holiday", f"-XMP-xmp:Label<={picture.path.parent / 'text'}", picture.path
    )
    before = read_tags(picture.path, "-XMP:all")
    assert len(before["XMP-xmp:Label"]) == len(text)
    assert write(know(picture.path)) == picture.path
    after = read_tags(picture.path, "-XMP:all")
    assert after["XMP-xmp:Label"] == before["XMP-xmp:Label"]
    assert after["XMP-dc:Subject"] == ["holiday", "初音ミク", "ボカロ"]


def test_a_jpeg_with_two_packets_is_left_as_it_is(make):
    picture = make("plain.jpg")
    data = write(picture).read_bytes()
    (edit,) = open_holder(data).put(b"<x/>")
    doubled = data[:2] + edit.inserted + data[2:]
    with pytest.raises(NoRoomError, match="more than once"):
        open_holder(doubled)


@pytest.mark.parametrize("name", ["plain.jpg", "texts.png", "full.webp"])
def test_xmp_that_cannot_be_read_is_refused(make, name):
    picture = make(name)
    broken = apply_edits(
        picture.path.read_bytes(), open_holder(picture.path.read_bytes()).put(b"<x:xmpmeta notes")
    )
    picture = replace_content(picture, broken)
    with pytest.raises(BadInputError, match="no XMP"):
        plan_rewrite(picture, "ja")


def test_a_packet_that_says_nothing_is_no_reason_to_refuse(make):
    picture = make("plain.jpg")
    begin = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    )
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    body = f'<rdf:RDF xmlns:rdf="{rdf}"><rdf:Description rdf:about=""/></rdf:RDF>'
    nothing = f'{begin}{body}</x:xmpmeta>\n   \n<?xpacket end="w"?>'.encode()
    data = picture.path.read_bytes()
    picture = replace_content(picture, apply_edits(data, open_holder(data).put(nothing)))
    write(picture)
    assert read_tags(picture.path, "-XMP:all")["XMP-dc:Subject"] == ["初音ミク", "ボカロ"]


@pytest.mark.parametrize("cut", [3, 30, 300])
@pytest.mark.parametrize("name", ["full.jpg", "texts.png", "full.webp"])
def test_a_file_that_is_cut_short_is_left_as_it_is(make, name, cut):
    data = make(name).path.read_bytes()[:cut]
    with pytest.raises(NoRoomError):
        open_holder(data)


def test_keywords_of_iptc_stay_visible(make):
    picture = make("full.jpg")
    run_exiftool("-codedcharacterset=utf8", "-IPTC:Keywords=旅行", "-IPTC:Keywords=Tokyo", picture.path)
    write(know(picture.path))
    found = read_tags(picture.path)
    assert found["XMP-dc:Subject"] == ["旅行", "Tokyo", "初音ミク", "ボカロ"]
    assert found["IPTC:Keywords"] == ["旅行", "Tokyo"]
    stranger = replace(know(picture.path), faces=())
    write(stranger)
    assert read_tags(picture.path)["XMP-dc:Subject"] == ["旅行", "Tokyo"], "only ours go"


def test_a_name_that_somebody_has_corrected_in_the_picture_stays(make):
    picture = make("full.jpg")
    data = write(picture).read_bytes()
    packet = open_holder(data).packet
    assert packet is not None
    corrected = packet.replace('mwg-rs:Name="初音ミク"'.encode(), 'mwg-rs:Name="鏡音リン"'.encode())
    assert corrected != packet
    picture = replace_content(picture, apply_edits(data, open_holder(data).put(corrected)))
    write(picture)
    found = read_tags(picture.path, "-XMP:all")
    assert [one["Name"] for one in found["XMP-mwg-rs:RegionInfo"]["RegionList"]] == ["鏡音リン"]
    assert not {"XMP-dc:Subject", "XMP-digiKam:TagsList"} & found.keys(), "ours told the old name"


def test_one_edit_is_found_and_taken_back():
    old, new = b"the same, old, the same", b"the same, new and longer, the same"
    edit = find_edit(old, new)
    assert (edit.removed, edit.inserted) == (b"old", b"new and longer")
    assert apply_edits(old, [edit]) == new
    assert take_back(new, describe_edits([edit])) == old
    with pytest.raises(ValueError, match="not those"):
        apply_edits(b"something else altogether", [edit])
    with pytest.raises(ValueError, match="none of this file"):
        take_back(b"short", describe_edits([edit]))
