"""Frames of videos: numbers and times, sampling, scenes, rotation, and refusals."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scenes import draw_scene
from videos import draw_number, write_sound, write_video

from kyara.errors import BadInputError, BrokenVideoError, TooLargeError, UnsupportedVideoError
from kyara.vision.video import Sampling, describe_video, read_frames, sample_frames


def read_numbers(frames) -> list[int]:
    return [round((float(frame.pixels.mean()) - 20) / 18) for frame in frames]


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """Twelve frames, ten a second, each of its own grey."""
    return write_video(
        tmp_path_factory.mktemp("video") / "counted.mp4", [draw_number(n) for n in range(12)]
    )


def test_describe_video_tells_size_length_rate_and_sound(counted, tmp_path):
    info = describe_video(counted)
    assert (info.width, info.height, info.rate, info.has_audio) == (64, 48, Fraction(10), False)
    assert info.duration_s == pytest.approx(1.2)
    loud = write_video(tmp_path / "loud.mp4", [draw_number(0)] * 5, sound=True)
    assert describe_video(loud).has_audio


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv", ".avi", ".gif"])
def test_read_frames_numbers_every_frame_and_tells_its_time(tmp_path, suffix):
    path = write_video(tmp_path / f"v{suffix}", [draw_number(n) for n in range(6)])
    frames = list(read_frames(path))
    assert [frame.number for frame in frames] == list(range(6))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 10 for n in range(6)], abs=2e-3)
    assert all(frame.pixels.shape == (48, 64, 3) for frame in frames)
    assert read_numbers(frames) == list(range(6))


def test_read_frames_takes_the_first_frame_of_each_interval(counted):
    frames = list(read_frames(counted, Sampling(every_s=0.3)))
    assert [frame.number for frame in frames] == [0, 3, 6, 9]
    between = list(read_frames(counted, Sampling(every_s=0.25)))
    assert [frame.number for frame in between] == [0, 3, 5, 8, 10]
    assert len(list(read_frames(counted, Sampling(every_s=60)))) == 1


def test_read_frames_goes_on_with_the_same_frames(counted):
    rest = list(read_frames(counted, Sampling(every_s=0.25), first=4))
    assert [frame.number for frame in rest] == [5, 8, 10]
    assert list(read_frames(counted, first=12)) == []


def test_read_frames_finds_where_scenes_start(tmp_path):
    scenes = [draw_scene(seed, 160) for seed in (1, 2, 3) for _ in range(4)]
    path = write_video(tmp_path / "scenes.mp4", scenes)
    frames = list(read_frames(path, Sampling(scene_score=0.1)))
    assert [frame.number for frame in frames] == [0, 4, 8]
    assert [f.number for f in read_frames(path, Sampling(scene_score=0.1), first=5)] == [8]


def test_read_frames_makes_frames_smaller_and_never_larger(counted):
    small = next(read_frames(counted, Sampling(longest_px=32)))
    assert (small.pixels.shape, small.scale) == ((24, 32, 3), 0.5)
    same = next(read_frames(counted, Sampling(longest_px=1000)))
    assert (same.pixels.shape, same.scale) == ((48, 64, 3), 1.0)


@pytest.mark.parametrize("turned", [90, 180, -90])
def test_read_frames_honours_rotation(tmp_path, turned):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16] = 255  # top left
    path = write_video(tmp_path / "turned.mp4", [picture] * 3, turned=turned)
    frame = next(read_frames(path))
    shape = (48, 64) if turned == 180 else (64, 48)
    assert frame.pixels.shape[:2] == shape
    info = describe_video(path)
    assert (info.height, info.width) == shape
    bright = np.argwhere(frame.pixels[..., 0] > 128).mean(axis=0) > np.array(shape) / 2
    assert bright.tolist() == {90: [True, False], 180: [True, True], -90: [False, True]}[turned]


def test_read_frames_lays_what_is_transparent_on_white(tmp_path):
    from PIL import Image

    clear = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (0, 0, 16, 32))
    other = Image.new("RGBA", (32, 32), (0, 0, 255, 255))
    clear.save(tmp_path / "clear.gif", save_all=True, append_images=[other], duration=100, disposal=2)
    frame = next(read_frames(tmp_path / "clear.gif"))
    assert frame.pixels[16, 24].tolist() == [255, 255, 255]
    assert frame.pixels[16, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_read_frames_gives_what_is_left_of_a_video_cut_short_then_says_so(tmp_path, suffix):
    frames = [draw_scene(n, 160) for n in range(20)]
    whole = write_video(tmp_path / f"whole{suffix}", frames)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    given = []
    with pytest.raises(BrokenVideoError, match=rf"^cut{suffix} is (cut short|damaged)"):
        for frame in read_frames(cut):
            given.append(frame.number)
    assert given == list(range(len(given)))
    assert 5 <= len(given) < 20


def test_read_frames_passes_over_damaged_places(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", [draw_scene(n, 160) for n in range(20)])
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    (tmp_path / "hurt.mp4").write_bytes(data)
    given = []
    with pytest.raises(BrokenVideoError, match="damaged in"):
        for frame in read_frames(tmp_path / "hurt.mp4"):
            given.append(frame.number)
    assert len(given) > 10


def test_read_frames_refuses_sound_text_and_nothing(tmp_path):
    sound = write_sound(tmp_path / "sound.mp4")
    with pytest.raises(UnsupportedVideoError, match=r"sound.mp4 has sound only"):
        next(read_frames(sound))
    text = tmp_path / "text.mp4"
    text.write_text("Dear diary, today I renamed a text file.\n" * 50)
    with pytest.raises(UnsupportedVideoError, match=r"text.mp4 is not a video"):
        next(read_frames(text))
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(BadInputError, match="is empty"):
        next(read_frames(tmp_path / "empty.mp4"))
    with pytest.raises(BadInputError, match="Cannot read"):
        describe_video(tmp_path / "none.mp4")
    with pytest.raises(BadInputError, match="Cannot read"):
        describe_video(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{0}'\n",
    ],
)
def test_read_frames_never_opens_the_files_of_a_playlist(tmp_path, counted, text):
    path = tmp_path / "list.mp4"
    path.write_text(text.format(counted))
    with pytest.raises(UnsupportedVideoError, match="is not a video"):
        next(read_frames(path))


def test_read_frames_refuses_frames_that_are_too_large(counted, monkeypatch):
    monkeypatch.setattr("kyara.vision.frames.MAX_FRAME_PIXELS", 64 * 47)
    with pytest.raises(TooLargeError, match="frames of 64×48 pixels"):
        next(read_frames(counted))


def test_read_frames_refuses_frames_whose_wide_pixels_make_them_too_large(tmp_path, monkeypatch):
    path = write_video(tmp_path / "wide.mp4", [draw_number(1)], pixel_ratio=Fraction(79, 10))
    assert describe_video(path).width == round(64 * 7.9)
    monkeypatch.setattr("kyara.vision.frames.MAX_FRAME_PIXELS", 64 * 48 * 7)
    for read in (describe_video, lambda one: next(read_frames(one, Sampling(longest_px=64)))):
        with pytest.raises(TooLargeError, match="frames of 506×48 pixels"):
            read(path)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_sample_frames_are_spread_over_a_video(tmp_path, suffix):
    path = write_video(tmp_path / f"clip{suffix}", [draw_number(n) for n in range(12)])
    numbers = read_numbers(sample_frames(path, 4))
    assert numbers == [0, 3, 6, 9]


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_sample_frames_of_a_long_video_are_spread_as_well(tmp_path, suffix):
    frames = [draw_number(n // 10) for n in range(130)]
    path = write_video(tmp_path / f"long{suffix}", frames, rate=1)
    assert describe_video(path).duration_s == pytest.approx(130, abs=2)
    numbers = read_numbers(sample_frames(path, 8))
    assert len(set(numbers)) >= 7
    assert min(numbers) <= 1 and max(numbers) >= 11


def test_sample_frames_read_a_long_video_that_has_one_key_frame(tmp_path):
    path = write_video(tmp_path / "long.webm", [draw_number(n // 10) for n in range(130)], rate=1)
    assert len(set(read_numbers(sample_frames(path, 8)))) >= 7


@pytest.mark.parametrize("tells", [True, False])
def test_sample_frames_decode_no_more_than_the_beginning_of_what_has_no_way_in(
    tmp_path, monkeypatch, tells
):
    path = write_video(tmp_path / "long.webm", [draw_number(n // 10) for n in range(130)], rate=1)
    monkeypatch.setattr("kyara.vision.video._MOST_SAMPLED", 40)
    if not tells:
        untold = replace(describe_video(path), duration_s=None)
        monkeypatch.setattr("kyara.vision.video.describe_video", lambda _: untold)
    numbers = read_numbers(sample_frames(path, 8))
    assert set(numbers) == {0, 1, 2, 3}


def test_read_frames_stops_where_it_is_told_to(counted):
    assert [frame.number for frame in read_frames(counted, most=3)] == [0, 1, 2]
