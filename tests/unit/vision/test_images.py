from __future__ import annotations

import numpy as np
import pytest
from encoding import encode_image
from PIL import Image

from kyara.errors import BadInputError, BrokenImageError, TooLargeError, UnsupportedImageError
from kyara.vision.boxes import Box, Window
from kyara.vision.images import (
    crop_pixels,
    cut_window,
    decode_image,
    encode_png,
    read_image,
    resize_pixels,
)
from kyara.vision.picture_files import list_pictures


def test_png_round_trip_keeps_every_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(decode_image(encode_png(pixels)), pixels)


def test_transparent_pixels_become_white_and_half_ones_are_blended():
    image = Image.new("RGBA", (2, 1))
    image.putpixel((0, 0), (200, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    pixels = decode_image(encode_image(image, "PNG"))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 1].tolist() == [127, 127, 127]


def test_a_transparent_palette_colour_becomes_white():
    image = Image.new("P", (1, 1))
    image.putpalette([10, 20, 30])
    assert decode_image(encode_image(image, "PNG", transparency=0))[0, 0].tolist() == [255, 255, 255]


def test_exif_orientation_turns_the_picture():
    image = Image.new("RGB", (4, 2), "white")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90°
    assert decode_image(encode_image(image, "JPEG", exif=exif)).shape == (4, 2, 3)


def test_grey_of_16_bits_is_scaled_not_clipped():
    image = Image.fromarray(np.full((1, 1), 0x8080, np.uint16))
    assert decode_image(encode_image(image, "PNG"))[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_png_mode_gives_three_channels_of_eight_bits(mode):
    pixels = decode_image(encode_image(Image.new(mode, (3, 2)), "PNG"))
    assert pixels.shape == (2, 3, 3)
    assert pixels.dtype == np.uint8


def test_cmyk_jpegs_are_read():
    assert decode_image(encode_image(Image.new("CMYK", (8, 8)), "JPEG")).shape == (8, 8, 3)


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encode_image(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert decode_image(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", BadInputError, "empty"),
        (b"<svg/>", UnsupportedImageError, "PNG, JPEG, WEBP"),
        (encode_image(Image.new("RGB", (4, 4)), "GIF"), UnsupportedImageError, "PNG, JPEG, WEBP"),
        (encode_image(Image.effect_noise((64, 64), 50), "PNG")[:-3000], BrokenImageError, "cut short"),
        (encode_image(Image.new("1", (4100, 4100)), "PNG"), TooLargeError, "4100×4100"),
        (encode_image(Image.new("1", (13000, 13000)), "PNG"), TooLargeError, "pixels"),
    ],
)
def test_decode_image_refuses(data, error, message):
    with pytest.raises(error, match=message):
        decode_image(data)


def test_resize_averages_when_it_shrinks():
    checks = np.indices((8, 8)).sum(axis=0) % 2 * 255
    small = resize_pixels(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8), 2)
    assert np.abs(small.astype(int) - 127).max() <= 12


def test_crop_pixels_leaves_off_what_lies_outside():
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    assert np.array_equal(crop_pixels(pixels, Box(-2, 1, 4, 9)), pixels[1:, :2])


@pytest.mark.parametrize("box", [Box(5, 0, 2, 2), Box(0, 4, 2, 2), Box(-3, 0, 3, 3), Box(1, 1, 0, 2)])
def test_crop_pixels_refuses_a_box_outside(box):
    with pytest.raises(BadInputError, match="outside the 5×4"):
        crop_pixels(np.zeros((4, 5, 3), np.uint8), box)


def test_read_image_names_a_missing_file(tmp_path):
    with pytest.raises(BadInputError, match=r"nobody\.png"):
        read_image(tmp_path / "nobody.png")


def test_list_pictures_looks_below_and_leaves_other_files(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("b.PNG", "a/c.webp", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in list_pictures(tmp_path)] == ["c.webp", "b.PNG"]


@pytest.mark.parametrize("roll", [-150, -90, -30, 25, 90, 180])
def test_a_window_is_cut_upright_however_the_face_leans(roll: int) -> None:
    """Four fields of colour, turned by PIL and cut back."""
    upright = np.zeros((60, 60, 3), np.uint8)
    upright[:30, :30, 0] = upright[:30, 30:, 1] = upright[30:, :30, 2] = 255
    sheet = Image.new("RGB", (160, 160))
    sheet.paste(Image.fromarray(upright), (50, 50))
    turned = np.asarray(sheet.rotate(-roll, Image.Resampling.BICUBIC))  # PIL turns counter-clockwise
    crop = cut_window(turned, Window(Box(50, 50, 60, 60), float(roll)))
    assert crop.shape == (60, 60, 3)
    for rows, columns in ((0, 0), (0, 30), (30, 0), (30, 30)):
        field = np.s_[rows + 6 : rows + 24, columns + 6 : columns + 24]
        assert np.abs(crop[field].astype(int) - upright[field]).max() <= 8


def test_a_turned_window_is_white_outside_of_the_picture() -> None:
    crop = cut_window(np.zeros((40, 40, 3), np.uint8), Window(Box(-20, 0, 40, 40), 90.0))
    assert crop[:18].max() == 0  # the face's top lies to the right, in the picture
    assert crop[22:].min() == 255


def test_a_window_that_is_not_turned_is_a_view() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    assert np.shares_memory(cut_window(pixels, Window(Box(5, 5, 20, 20))), pixels)
