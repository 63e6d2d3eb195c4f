"""Pictures that lack their last bytes: what is there is read, with a sentence; too little is refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from encoding import chunk, encode_image
from PIL import Image

from kyara.errors import BrokenImageError
from kyara.vision.cut_short import WARNING
from kyara.vision.images import decode_image, read_image

NOISE = np.random.default_rng(5).integers(0, 256, (96, 64, 3), np.uint8)


def read(data: bytes) -> tuple[np.ndarray, list[str]]:
    told: list[str] = []
    return decode_image(data, tell=told.append), told


def test_of_a_png_the_rows_that_are_there_are_read_and_the_rest_is_white():
    data = encode_image(NOISE, "PNG")
    pixels, told = read(data[: round(0.8 * len(data))])
    assert told == [WARNING]
    there = int(np.flatnonzero((pixels != 255).any(axis=(1, 2)))[-1]) + 1
    assert 0.7 * len(NOISE) < there < 0.85 * len(NOISE)
    assert np.array_equal(pixels[:there], NOISE[:there])


def test_of_a_jpeg_the_rows_that_are_there_are_read_and_the_rest_is_grey():
    data = encode_image(NOISE, "JPEG", quality=90)
    whole, _ = read(data)
    pixels, told = read(data[: round(0.8 * len(data))])
    assert told == [WARNING]
    assert np.array_equal(pixels[:60], whole[:60])
    assert np.abs(pixels[-8:].astype(int) - 128).max() <= 2


def test_a_progressive_jpeg_is_coarse_where_scans_are_missing():
    smooth = np.asarray(Image.fromarray(NOISE[:30, :40]).resize((400, 300), Image.Resampling.BICUBIC))
    data = encode_image(smooth, "JPEG", quality=95, progressive=True)
    pixels, told = read(data[: round(0.8 * len(data))])
    assert told == [WARNING]
    assert np.abs(pixels.astype(int) - smooth).mean() < 6


@pytest.mark.parametrize(
    ("kind", "missing"), [("PNG", 1), ("PNG", 12), ("PNG", 20), ("JPEG", 1), ("JPEG", 2), ("JPEG", 9)]
)
def test_a_few_missing_bytes_cost_next_to_nothing(kind, missing):
    data = encode_image(NOISE, kind)
    whole, told = read(data)
    assert told == []
    pixels, told = read(data[:-missing])
    assert told == ([] if (kind, missing) == ("PNG", 1) else [WARNING])
    assert np.array_equal(pixels[:76], whole[:76])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.2, 0.3, 0.45])
def test_less_than_half_of_a_picture_is_refused(kind, share):
    data = encode_image(NOISE, kind)
    with pytest.raises(BrokenImageError, match="cut short"):
        decode_image(data[: round(share * len(data))])


def test_an_interlaced_png_and_one_that_is_damaged_in_the_middle_are_refused():
    data = encode_image(NOISE, "PNG")
    damaged = data[: len(data) // 2] + bytes(40) + data[len(data) // 2 + 40 :]
    interlaced = data[:8] + chunk(b"IHDR", data[16:28] + b"\1") + data[33 : round(0.9 * len(data))]
    for wrong in (damaged, interlaced):
        with pytest.raises(BrokenImageError):
            decode_image(wrong)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_pngs_of_every_kind_of_pixel_are_read_as_far_as_they_go(mode):
    image = Image.fromarray(NOISE).convert(mode)
    data = encode_image(image, "PNG")
    whole, _ = read(data)
    pixels, told = read(data[: round(0.8 * len(data))])
    assert told == [WARNING]
    assert np.array_equal(pixels[:60], whole[:60])
    assert (pixels[-4:] == 255).all()


def test_turned_and_averaged_pictures_are_cut_short_where_they_were():
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    data = encode_image(NOISE.repeat(22, axis=0).repeat(22, axis=1), "PNG", exif=exif)
    told: list[str] = []
    pixels = decode_image(data[: round(0.8 * len(data))], enough_px=512, tell=told.append)
    assert told == [WARNING]
    assert (pixels[:20] == 255).all()
    assert not (pixels[-20:] == 255).all()


def test_a_file_that_is_cut_short_is_logged_by_its_name(tmp_path, caplog):
    path = tmp_path / "cut.jpg"
    path.write_bytes(encode_image(NOISE, "JPEG")[:-200])
    with caplog.at_level(logging.WARNING, "kyara.images"):
        assert read_image(path).shape == (96, 64, 3)
    assert caplog.messages == [f"{path}: {WARNING}"]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_what_follows_a_jpeg_is_no_part_of_it(options):
    """A motion photo has its video behind the picture; whatever bytes that has, the picture is whole."""
    data = encode_image(NOISE, "JPEG", exif=Image.Exif(), **options)
    for seed in range(20):
        behind = np.random.default_rng(seed).bytes(400_000)
        assert read(data + behind)[1] == []
    assert read(data[:-30])[1] == [WARNING]
