"""Which files are pictures, by name and by content; every format that is read has the right pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from encoding import encode_image
from PIL import Image

from kyara.errors import TooLargeError, UnsupportedImageError
from kyara.vision.images import decode_image, read_image
from kyara.vision.picture_files import FILE_FORMATS, SUFFIXES, is_heif, list_pictures
from kyara.vision.sources import list_sources

PIXELS = np.asarray(
    Image.fromarray(np.random.default_rng(4).integers(0, 256, (3, 4, 3), np.uint8)).resize((64, 48))
)
KINDS = {
    ".png": ("PNG", {}),
    ".apng": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95}),
    ".jpeg": ("JPEG", {"quality": 95}),
    ".jpe": ("JPEG", {"quality": 95}),
    ".jfif": ("JPEG", {"quality": 95}),
    ".webp": ("WEBP", {"lossless": True}),
    ".avif": ("AVIF", {"quality": 90}),
    ".bmp": ("BMP", {}),
    ".gif": ("GIF", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
    ".heic": ("HEIF", {"quality": 90}),
    ".heif": ("HEIF", {"quality": 90}),
}


def encode(kind: str, pixels: np.ndarray = PIXELS, **options) -> bytes:
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    return encode_image(pixels, kind, **options)


def test_every_ending_of_pictures_is_tried():
    assert SUFFIXES == KINDS.keys()


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_every_kind_of_picture_is_found_in_a_folder_and_read(tmp_path, suffix, case):
    kind, options = KINDS[suffix]
    (tmp_path / f"a{case(suffix)}").write_bytes(encode(kind, **options))
    (path,) = list_pictures(tmp_path)
    assert list_sources([tmp_path]) == [path]
    near = 40 if kind == "GIF" else 12  # a palette
    assert np.abs(read_image(path).astype(int) - PIXELS).mean() < near


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["WEBP", "JPEG", "PNG", "TIFF", "AVIF"])
def test_every_format_is_turned_alike(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    if kind in ("JPEG", "AVIF"):
        options["quality"] = 95
    if kind == "TIFF":
        from PIL import TiffImagePlugin

        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[0x0112] = orientation
        options["tiffinfo"] = tags
    else:
        options["exif"] = exif
    upright = encode("PNG", exif=exif)
    expected = decode_image(upright).astype(int)
    pixels = decode_image(encode(kind, **options), formats=FILE_FORMATS)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).mean() < 8


def test_folders_and_what_macos_keeps_beside_pictures_are_passed_over(tmp_path):
    (tmp_path / "folder.png" / "below.jpg").mkdir(parents=True)
    (tmp_path / "a.jpg").write_bytes(encode("JPEG"))
    for name in ("._a.jpg", "folder.png/._b.png", "folder.png/._c.mp4"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7 resource fork")
    (tmp_path / "folder.png" / "b.png").write_bytes(encode("PNG"))
    found = [str(path.relative_to(tmp_path)) for path in list_pictures(tmp_path)]
    assert found == ["a.jpg", "folder.png/b.png"]
    assert [str(path.relative_to(tmp_path)) for path in list_sources([tmp_path])] == found


def test_a_heic_without_its_package_is_told_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedImageError, match=r"HEIC.*pillow-heif.*requirements-heif\.txt"):
        decode_image(encode_heic_head(), formats=FILE_FORMATS)


def encode_heic_head() -> bytes:
    """Return how a HEIC file begins."""
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)


@pytest.mark.parametrize(
    ("data", "is_one"),
    [
        (encode_heic_head(), True),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heixmiaf", True),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", False),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", False),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"", False),
    ],
)
def test_heic_is_told_by_its_brands(data, is_one):
    assert is_heif(data) is is_one


def test_over_http_no_file_format_is_read_that_was_not_before():
    for kind in ("TIFF", "HEIF", "AVIF", "BMP", "GIF"):
        with pytest.raises(UnsupportedImageError, match="PNG, JPEG, WEBP"):
            decode_image(encode(kind))


def test_a_tiff_whose_directory_claims_more_than_there_is_is_refused():
    from costly import directory

    with pytest.raises(TooLargeError, match="too many parts"):
        decode_image(directory(5_000, 60_000), formats=FILE_FORMATS)
