"""Video and GIF files → upright frames, one after the other, through FFmpeg (PyAV).

Frames are numbered as they are shown, from 0, whatever is left out. A file is read from its start, so a
frame's number and time are the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kyara.errors import (
    BadInputError,
    BrokenVideoError,
    KyaraError,
    UnsupportedVideoError,
)
from kyara.vision.animations import AnimationReading, is_animation, measure
from kyara.vision.frames import Frame, check_size, make_frame, show_size
from kyara.vision.scene_cuts import SceneCuts

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .webm .mkv .avi .mpg .mpeg .ts .m2ts .mts .flv .ogv .wmv .3gp .gif".split()
)
"""File names that are taken for videos when a folder is read."""
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,flv,ogg,asf,gif,apng,"
    "mp3,wav,flac,aac,h264,hevc,ivf,dv,mxf,rm,nut"
)
"""What FFmpeg may take a file for: a playlist, say, would make it open other files."""
_CUT_SHORT_S = 0.5
_CUT_SHORT_SHARE = 0.02
_READ_WHOLE_S = 60.0
"""Shorter videos may have one key frame alone."""
_MOST_SAMPLED = 3000
"""So many frames are decoded, at most, for samples of a video in which no jump leads to them."""


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of itself.

    Attributes:
        width: of the upright picture, in pixels.
        height: likewise.
        duration_s: None where the file does not tell.
        rate: frames a second; None likewise.
        has_audio: whether there is a sound track.
    """

    width: int
    height: int
    duration_s: float | None
    rate: Fraction | None
    has_audio: bool


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are wanted: those of either kind, and without both every frame.

    Attributes:
        every_s: the first frame, and then one every so many seconds.
        scene_score: the first frame, and every one that differs from its predecessor by a higher score
            (FFmpeg's, 0 to 1): the first of a new scene.
        longest_px: frames with a longer side are made smaller.
    """

    every_s: float | None = None
    scene_score: float | None = None
    longest_px: int | None = None


def describe_video(path: Path) -> VideoInfo:
    """Read what a video or an animation says of itself.

    Raises:
        KyaraError: it cannot be read, has no moving picture, or is larger than Kyara accepts.
    """
    if is_animation(path):
        return VideoInfo(*measure(path), has_audio=False)
    with _open(path) as (container, stream):
        frame = _read_first(path, container, stream)
        turned = frame.rotation % 180 == 90
        width, height = show_size(path, frame, stream)
        duration = None if container.duration is None else container.duration / 1_000_000
        return VideoInfo(
            height if turned else width,
            width if turned else height,
            duration,
            stream.average_rate or stream.guessed_rate,
            bool(container.streams.audio),
        )


def _read_first(path: Path, container: InputContainer, stream: VideoStream) -> VideoFrame:
    import av.error

    try:
        for frame in container.decode(stream):
            return frame
    except av.error.FFmpegError as error:
        raise BrokenVideoError(f"{path.name} is damaged: {_explain(error)}.") from error
    raise BrokenVideoError(f"{path.name} is cut short: it has no frame.")


def read_frames(
    path: Path, sampling: Sampling | None = None, *, first: int = 0, most: int | None = None
) -> Iterator[Frame]:
    """Give the wanted frames of a video or an animation, in order.

    What is damaged is passed over; after the last frame that could be read the error is raised.

    Args:
        path: of the file.
        sampling: which frames, and how large.
        first: frames with a lower number are left out; which others are wanted does not change.
        most: so many frames are decoded at most, wanted or not; by default all.

    Raises:
        KyaraError: the file cannot be read or has no moving picture; at the end: it is damaged.
    """
    sampling = sampling or Sampling()
    if is_animation(path):
        yield from _choose(AnimationReading(path), sampling, first, most)
        return
    with _open(path) as (container, stream):
        yield from _choose(_Reading(path, container, stream), sampling, first, most)


def sample_frames(path: Path, count: int) -> Iterator[Frame]:
    """Give frames that are spread over a video or an animation; of a long one, its key frames near by.

    Where that would take long, a long video with few key frames say, they are spread over its beginning.

    Args:
        path: of the file.
        count: about how many; of a file that does not tell its length there is one a second.

    Raises:
        KyaraError: as `read_frames`.
    """
    info = describe_video(path)
    duration = info.duration_s
    if duration is not None and duration > _READ_WHOLE_S and not is_animation(path):
        times = set()
        for frame in _read_key_frames(path, count, duration):
            times.add(frame.time_s)
            yield frame
        if len(times) > count // 2:
            return
    span = duration or count
    if duration and info.rate:
        span = min(duration, float(_MOST_SAMPLED / info.rate))
    yield from read_frames(path, Sampling(every_s=span / count), most=_MOST_SAMPLED)


def _read_key_frames(path: Path, count: int, duration_s: float) -> Iterator[Frame]:
    """Give the frames to which a jump leads; those that cannot be read are left out."""
    import av.error

    with _open(path) as (container, stream):
        start = container.start_time or 0
        for number in range(count):
            try:
                container.seek(start + round((number + 0.5) / count * duration_s * 1_000_000))
                frame = next(container.decode(stream), None)
            except av.error.FFmpegError:
                continue
            if frame is not None:
                check_size(path, frame.width, frame.height)
                size = show_size(path, frame, stream)
                yield make_frame(number, float(frame.time or 0), frame, size, None)


def _choose(
    reading: _Reading | AnimationReading, sampling: Sampling, first: int, most: int | None
) -> Iterator[Frame]:
    """Give the frames of a file that are wanted; see `read_frames`."""
    path, stream = reading.path, reading.stream
    scenes = SceneCuts(stream, sampling.scene_score) if sampling.scene_score is not None else None
    due = Fraction(0)
    every = None if sampling.every_s is None else Fraction(sampling.every_s).limit_denominator(10**6)
    for number, (time, frame) in islice(enumerate(reading), most):
        wanted = every is None and scenes is None
        if every is not None and time >= due:
            wanted = True
            due = (time // every + 1) * every
        if scenes is not None:
            wanted = scenes.starts(frame) or wanted or number == 0
        if wanted and number >= first:
            size = show_size(path, frame, stream)
            yield make_frame(number, float(time), frame, size, sampling.longest_px)
    if reading.problem:
        raise BrokenVideoError(f"{path.name} {reading.problem}.")


@contextmanager
def _open(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    import av
    import av.error

    if not path.is_file():
        raise BadInputError(f"Cannot read {path}: it is not a file.")
    try:
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        container = av.open(str(path), options=options)
    except av.error.FFmpegError as error:
        raise _refuse(path, error) from error
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror or error}.") from error
    with container:
        pictures = [s for s in container.streams.video if not _is_cover(s)]
        if not pictures:
            raise UnsupportedVideoError(f"{path.name} has sound only, and no moving picture.")
        stream = pictures[0]
        check_size(path, stream.codec_context.width, stream.codec_context.height)
        stream.thread_type = "AUTO"
        yield container, stream


def _is_cover(stream: VideoStream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _refuse(path: Path, error: Any) -> KyaraError:
    """Say what is wrong with a file that FFmpeg does not open."""
    size = path.stat().st_size
    if not size:
        return BadInputError(f"{path.name} is empty (0 bytes).")
    with path.open("rb") as file:
        head = file.read(64)
    known = head[4:8] in (b"ftyp", b"moov", b"mdat") or head[:4] in (b"\x1aE\xdf\xa3", b"RIFF", b"GIF8")
    if known:
        return BrokenVideoError(f"{path.name} is damaged or cut short: {_explain(error)}.")
    return UnsupportedVideoError(f"{path.name} is not a video or an animation that FFmpeg reads.")


def _explain(error: Any) -> str:
    return f"FFmpeg says “{error.strerror or error}”"


class _Reading:
    """Decoded frames with their times, and at the end what was wrong with the file."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream) -> None:
        self.path, self.container, self.stream = path, container, stream
        self.damaged = 0
        self.frames = 0
        self.ended_s = 0.0
        self.problem = ""

    def __iter__(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        start, last = None, Fraction(-1)
        step = 1 / (self.stream.average_rate or Fraction(25))
        for frame in self._decode():
            check_size(self.path, frame.width, frame.height)
            time = None if frame.pts is None or not frame.time_base else frame.pts * frame.time_base
            if start is None:
                start = time or Fraction(0)
            time = max(last + step, Fraction(0)) if time is None else time - start
            last = max(last, time)
            self.frames += 1
            yield last, frame
        self.problem = self._find_problem()

    def _decode(self) -> Iterator[VideoFrame]:
        import av.error

        packets = self.container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self.damaged += 1
                return
            if packet.pts is not None and packet.time_base:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self.ended_s = max(self.ended_s, float(end))
            if packet.stream is not self.stream:
                continue
            try:
                yield from packet.decode()  # type: ignore[misc]  # frames: this is a video stream
            except av.error.FFmpegError:
                self.damaged += 1

    def _find_problem(self) -> str:
        declared = (self.container.duration or 0) / 1_000_000
        declared += max(0.0, (self.container.start_time or 0) / 1_000_000)
        missing = declared - self.ended_s
        if not self.frames:
            return "is damaged: no frame can be read"
        if missing > max(_CUT_SHORT_S, _CUT_SHORT_SHARE * declared):
            return f"is cut short: it should have {declared:.1f} s and ends after {self.ended_s:.1f} s"
        if self.damaged:
            places = "one place" if self.damaged == 1 else f"{self.damaged} places"
            return f"is damaged in {places}; the rest could be read"
        if self.container.format.name == "gif" and not _ends_as_gif(self.path):
            return "is cut short: the end of the animation is missing"
        return ""


def _ends_as_gif(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 64), 2)
        return file.read().rstrip(b"\0").endswith(b";")
