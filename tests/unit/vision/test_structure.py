"""Parts of picture files: what real files have passes, what they never have is refused in files too."""

from __future__ import annotations

import io

import numpy as np
import pytest
from costly import REFUSED_FILES, save
from encoding import encode_image
from PIL import Image

from kyara.errors import TooLargeError
from kyara.vision.images import decode_image, encode_png
from kyara.vision.picture_files import FILE_FORMATS
from kyara.vision.structure import Declared, find_orientation, inspect_picture

EXIF = Image.Exif()
EXIF[0x010F] = "a camera" * 99
EXIF[0x0112] = 6
USUAL = {
    "PNG": {"exif": EXIF},
    "JPEG": {"exif": EXIF, "icc_profile": bytes(900_000), "comment": b"c" * 9000, "progressive": True},
    "WEBP": {"exif": EXIF, "icc_profile": bytes(9000), "lossless": True},
    "GIF": {"comment": b"c" * 9000},
    "BMP": {},
    "AVIF": {"exif": EXIF},
}


@pytest.mark.parametrize(("kind", "options"), USUAL.items())
def test_usual_files_pass_and_their_size_is_read_from_the_header(kind, options):
    data = save((40, 20), kind, **options)
    declared = inspect_picture(data)
    known = {"PNG": Declared(40, 20, 3), "JPEG": Declared(40, 20, 3), "WEBP": Declared(40, 20, 4)}
    assert declared == known.get(kind)
    turned = "exif" in options
    assert decode_image(data, formats=FILE_FORMATS).shape == ((40, 20, 3) if turned else (20, 40, 3))


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG"])
def test_an_animation_of_two_hundred_frames_passes(kind):
    frames = [Image.new("RGB", (8, 8), (shade, 9, 9)) for shade in range(200)]
    data = encode_image(frames[0], kind, save_all=True, append_images=frames[1:])
    assert decode_image(data, formats=FILE_FORMATS).shape == (8, 8, 3)


@pytest.mark.parametrize("name", REFUSED_FILES)
def test_a_file_of_too_many_parts_is_refused(name):
    with pytest.raises(TooLargeError, match="too many parts"):
        decode_image(REFUSED_FILES[name](), formats=FILE_FORMATS)


def test_a_film_behind_a_photograph_is_not_counted():
    data = save((640, 480), "JPEG", progressive=True) + b"\xff\xda" * 500
    assert decode_image(data).shape == (480, 640, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(orientation):
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 9
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode_image(pixels, "PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        from PIL import ImageOps

        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(decode_image(data), expected)


@pytest.mark.parametrize(
    ("info", "orientation"),
    [
        ({}, 1),
        ({"exif": b"Exif\0\0nothing"}, 1),
        ({"exif": b"II*\0\x08\0\0\0\xff\xff"}, 1),
        ({"xmp": b'<x tiff:Orientation="8"/>'}, 8),
        ({"Raw profile type exif": "\nexif\n 9\nzz"}, 1),
    ],
)
def test_orientation_is_found_or_taken_as_upright(info, orientation):
    assert find_orientation(info) == orientation


def test_a_large_picture_is_averaged_down_by_a_whole_number():
    pixels = np.repeat(np.arange(100, 228, dtype=np.uint8), 16)[None, :, None].repeat(96, 0).repeat(3, 2)
    small = decode_image(encode_png(np.ascontiguousarray(pixels)), enough_px=512)
    assert small.shape == (24, 512, 3)
    np.testing.assert_array_equal(small[0, ::4, 0], np.arange(100, 228))
