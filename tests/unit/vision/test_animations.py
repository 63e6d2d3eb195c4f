"""Animated WebP, APNG and AVIF: frames and times, as of a GIF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kyara.errors import BadInputError, BrokenVideoError
from kyara.vision.animations import is_animation
from kyara.vision.sources import is_picture, list_sources, measure_duration, read_source
from kyara.vision.video import Sampling, describe_video, read_frames

SHADES = [20, 60, 100, 140, 180, 220]
OPTIONS = {
    ".webp": {"lossless": True},
    ".png": {},
    ".apng": {"format": "PNG"},
    ".avif": {"quality": 95},
}


def write(path: Path, shades: list[int] = SHADES, length_ms: int = 100, **options) -> Path:
    """Write an animation of one grey after the other."""
    frames = [Image.new("RGB", (64, 48), (shade,) * 3) for shade in shades]
    moves = {"save_all": True, "append_images": frames[1:]} if len(frames) > 1 else {}
    frames[0].save(path, **{**OPTIONS[path.suffix], **moves, "duration": length_ms, **options})
    return path


@pytest.fixture(params=OPTIONS)
def animation(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / f"moves{request.param}")


def read_shades(frames) -> list[int]:
    return [round(float(frame.pixels.mean())) for frame in frames]


def test_every_frame_is_given_with_its_time(animation):
    frames = list(read_frames(animation))
    assert [frame.number for frame in frames] == list(range(6))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 10 for n in range(6)], abs=2e-3)
    assert np.abs(np.array(read_shades(frames)) - SHADES).max() <= 3
    assert all(frame.pixels.shape == (48, 64, 3) for frame in frames)


def test_it_tells_of_itself_what_a_video_tells(animation):
    info = describe_video(animation)
    assert (info.width, info.height, info.has_audio) == (64, 48, False)
    assert info.duration_s == pytest.approx(0.6, abs=0.01)
    assert float(info.rate or 0) == pytest.approx(10, abs=0.2)


def test_frames_are_chosen_as_of_a_video(animation):
    every = [frame.number for frame in read_frames(animation, Sampling(every_s=0.3))]
    assert every == [0, 3]
    assert [frame.number for frame in read_frames(animation, Sampling(every_s=0.3), first=1)] == [3]
    small = next(read_frames(animation, Sampling(longest_px=32)))
    assert (small.pixels.shape, small.scale) == ((24, 32, 3), 0.5)


def test_a_cut_is_found(tmp_path):
    from videos import read_example

    scene = Image.fromarray(read_example(160))
    other = Image.fromarray(255 - np.asarray(scene)[::-1, ::-1])
    frames = [scene, scene.copy(), other, other.copy()]
    for number, one in enumerate(frames):  # frames that are alike would be joined
        one.putpixel((number, 0), (255, 0, 0))
    path = tmp_path / "cut.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    assert [frame.number for frame in read_frames(path, Sampling(scene_score=0.1))] == [0, 2]


@pytest.mark.parametrize("suffix", OPTIONS)
def test_a_picture_that_does_not_move_is_none(tmp_path, suffix):
    path = write(tmp_path / f"still{suffix}", [100])
    assert not is_animation(path)
    assert is_picture(path)
    (frame,) = read_source(path, Sampling())
    assert read_shades([frame]) == pytest.approx([100], abs=3)


def test_collecting_follows_animations(animation):
    assert list_sources([animation.parent]) == [animation]
    assert not is_picture(animation)
    assert measure_duration(animation) == pytest.approx(0.6, abs=0.01)
    assert len(list(read_source(animation, Sampling()))) == 6


def test_a_picture_for_those_who_show_no_animation_is_no_frame(tmp_path):
    path = write(tmp_path / "moves.png", [0, *SHADES], default_image=True)
    assert np.abs(np.array(read_shades(read_frames(path))) - SHADES).max() <= 1


def test_what_is_transparent_is_white_and_exif_turns_every_frame(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("RGBA", (8, 4), (9, 9, 9, alpha)) for alpha in (255, 0)]
    path = tmp_path / "turned.webp"
    options = {"save_all": True, "append_images": frames[1:], "lossless": True, "exif": exif}
    frames[0].save(path, duration=100, **options)
    first, second = read_frames(path)
    assert first.pixels.shape == second.pixels.shape == (8, 4, 3)
    assert first.pixels.max() == 9
    assert second.pixels.min() == 255


def test_a_frame_of_no_length_is_shown_as_long_as_browsers_show_it(tmp_path):
    path = write(tmp_path / "fast.webp", SHADES[:3], length_ms=0)
    assert [frame.time_s for frame in read_frames(path)] == pytest.approx([0, 0.1, 0.2])


def test_of_one_that_is_cut_short_the_frames_before_are_given(tmp_path):
    whole = write(tmp_path / "whole.png")
    data = whole.read_bytes()
    cut = tmp_path / "cut.png"
    cut.write_bytes(data[: data.rindex(b"fdAT") + 6])
    found = []
    with pytest.raises(BrokenVideoError, match="cut short"):
        found.extend(read_frames(cut))
    assert describe_video(cut).width == 64


def test_a_missing_one_is_named(tmp_path):
    with pytest.raises(BadInputError, match="nobody"):
        list(read_frames(tmp_path / "nobody.webp"))
