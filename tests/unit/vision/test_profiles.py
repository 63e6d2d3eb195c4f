"""Colour profiles: pixels come out as the colours that the profile says, or as they are."""

from __future__ import annotations

import numpy as np
import pytest
from colour_profiles import (
    DISPLAY_P3,
    show_grey,
    show_lab,
    show_rgb,
    write_cmyk_profile,
    write_grey_profile,
    write_rgb_profile,
)
from encoding import encode_image
from PIL import Image, ImageCms

from kyara.vision.images import decode_image
from kyara.vision.picture_files import FILE_FORMATS
from kyara.vision.profiles import MAX_PROFILE_BYTES, read_profile

P3 = write_rgb_profile(DISPLAY_P3, 2.2)
CYAN = (60.0, -30.0, -40.0)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
def test_a_wide_gamut_picture_has_the_colours_that_its_profile_says(kind):
    value = (200, 90, 60)
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    options = {"lossless": True} if kind == "WEBP" else options
    options = {"quality": 100, "subsampling": "4:4:4"} if kind == "AVIF" else options
    data = encode_image(Image.new("RGB", (16, 16), value), kind, icc_profile=P3, **options)
    pixels = decode_image(data, formats=FILE_FORMATS)
    expected = show_rgb(value, DISPLAY_P3, 2.2)
    assert np.abs(expected - np.array(value)).max() > 15  # red is redder there
    assert np.abs(pixels.astype(int) - expected).max() <= 3


def test_what_is_transparent_lies_on_white_and_the_rest_has_its_colours():
    image = Image.new("RGBA", (2, 1), (200, 90, 60, 255))
    image.putpixel((1, 0), (200, 90, 60, 0))
    pixels = decode_image(encode_image(image, "PNG", icc_profile=P3))
    assert np.abs(pixels[0, 0].astype(int) - show_rgb((200, 90, 60), DISPLAY_P3, 2.2)).max() <= 2
    assert pixels[0, 1].tolist() == [255, 255, 255]


def test_greys_and_inks_have_their_colours_too():
    profile = write_grey_profile(1.8)
    grey = decode_image(encode_image(Image.new("L", (4, 4), 100), "PNG", icc_profile=profile))
    assert np.abs(grey[0, 0].astype(int) - show_grey(100, 1.8)).max() <= 2
    inks = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    data = encode_image(inks, "JPEG", icc_profile=write_cmyk_profile(CYAN), quality=100)
    pixels = decode_image(data)
    assert np.abs(pixels[4, 4].astype(int) - show_lab(CYAN)).max() <= 6


def test_a_picture_that_is_averaged_down_has_its_colours():
    data = encode_image(Image.new("RGB", (2048, 64), (200, 90, 60)), "PNG", icc_profile=P3)
    pixels = decode_image(data, enough_px=512)
    assert pixels.shape == (16, 512, 3)
    assert np.abs(pixels[3, 3].astype(int) - show_rgb((200, 90, 60), DISPLAY_P3, 2.2)).max() <= 2


def make_profiles() -> dict[str, tuple[str, bytes]]:
    """Profiles that change nothing, with the mode of the picture that has them."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    chained = bytearray(P3)
    chained[-8:-4] = b"mpet"
    linked = bytearray(P3)
    linked[12:16] = b"link"
    return {
        "of sRGB": ("RGB", srgb),
        "nothing": ("RGB", b""),
        "zeros": ("RGB", bytes(9000)),
        "cut short": ("RGB", P3[:140]),
        "of greys in colours": ("RGB", write_grey_profile(1.8)),
        "of colours in greys": ("L", P3),
        "of inks in colours": ("RGB", write_cmyk_profile(CYAN)),
        "of a chain of elements": ("RGB", bytes(chained)),
        "that links two others": ("RGB", bytes(linked)),
        "too large": ("RGB", P3 + bytes(MAX_PROFILE_BYTES)),
    }


@pytest.mark.parametrize("name", make_profiles())
def test_a_profile_that_cannot_be_used_leaves_the_pixels_as_they_are(name):
    mode, profile = make_profiles()[name]
    value = (200, 90, 60) if mode == "RGB" else 100
    image = Image.new(mode, (8, 8), value)
    data = encode_image(image, "JPEG", quality=100, subsampling=0, icc_profile=profile)
    pixels = decode_image(data)
    expected = value if mode == "RGB" else (100, 100, 100)
    assert np.abs(pixels.astype(int) - expected).max() <= 2


def test_a_chain_of_elements_is_not_even_read():
    assert read_profile(P3) is not None
    assert read_profile(P3 + b"mpet") is None
