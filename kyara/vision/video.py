"""Video and GIF files → upright frames, one after the other, through FFmpeg (PyAV).

Frames are numbered as they are shown, from 0, whatever is left out. A file is read from its start, so a
frame's number and time are the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kyara.errors import (
    BadInputError,
    BrokenVideoError,
    KyaraError,
    TooLargeError,
    UnsupportedVideoError,
)
from kyara.vision.images import MAX_IMAGE_PIXELS

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .webm .mkv .avi .mpg .mpeg .ts .m2ts .mts .flv .ogv .wmv .3gp .gif".split()
)
"""File names that are taken for videos when a folder is read."""
MAX_FRAME_PIXELS = 4 * MAX_IMAGE_PIXELS
SCENE_WIDTH_PX = 320
"""Width in which FFmpeg compares frames: scene scores hardly depend on it, their cost does."""
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,flv,ogg,asf,gif,apng,"
    "mp3,wav,flac,aac,h264,hevc,ivf,dv,mxf,rm,nut"
)
"""What FFmpeg may take a file for: a playlist, say, would make it open other files."""
_CUT_SHORT_S = 0.5
_CUT_SHORT_SHARE = 0.02


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
class Frame:
    """One frame.

    Attributes:
        number: of the frame in the video, from 0.
        time_s: when it is shown, from the start of the video.
        pixels: `uint8 (H, W, 3)` sRGB, upright.
        scale: of the pixels; 1 where the frame was not made smaller.
    """

    number: int
    time_s: float
    pixels: np.ndarray
    scale: float = 1.0


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
    with _open(path) as (container, stream):
        frame = _read_first(path, container, stream)
        turned = frame.rotation % 180 == 90
        width, height = _show_size(path, frame, stream)
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


def read_frames(path: Path, sampling: Sampling | None = None, *, first: int = 0) -> Iterator[Frame]:
    """Give the wanted frames of a video or an animation, in order.

    What is damaged is passed over; after the last frame that could be read the error is raised.

    Args:
        path: of the file.
        sampling: which frames, and how large.
        first: frames with a lower number are left out; which others are wanted does not change.

    Raises:
        KyaraError: the file cannot be read or has no moving picture; at the end: it is damaged.
    """
    sampling = sampling or Sampling()
    with _open(path) as (container, stream):
        reading = _Reading(path, container, stream)
        scenes = _SceneCuts(stream, sampling.scene_score) if sampling.scene_score is not None else None
        due = Fraction(0)
        every = None if sampling.every_s is None else Fraction(sampling.every_s).limit_denominator(10**6)
        for number, (time, frame) in enumerate(reading):
            wanted = every is None and scenes is None
            if every is not None and time >= due:
                wanted = True
                due = (time // every + 1) * every
            if scenes is not None:
                wanted = scenes.starts(frame) or wanted or number == 0
            if wanted and number >= first:
                size = _show_size(path, frame, stream)
                yield _make_frame(number, float(time), frame, size, sampling.longest_px)
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
        _check_size(path, stream.codec_context.width, stream.codec_context.height)
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


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_FRAME_PIXELS:
        raise TooLargeError(
            f"{path.name} has frames of {width}×{height} pixels; at most {MAX_FRAME_PIXELS:,} in all "
            "are accepted."
        )


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
            _check_size(self.path, frame.width, frame.height)
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


class _SceneCuts:
    """FFmpeg's scene scores: tells of each frame whether a new scene starts with it."""

    def __init__(self, stream: VideoStream, score: float) -> None:
        import av.filter

        graph = av.filter.Graph()
        source = graph.add_buffer(template=stream)
        small = graph.add("scale", f"{SCENE_WIDTH_PX}:-2")
        chosen = graph.add("select", f"gt(scene\\,{score})")
        sink = graph.add("buffersink")
        for one, other in ((source, small), (small, chosen), (chosen, sink)):
            one.link_to(other)
        graph.configure()
        self.graph, self.source, self.sink = graph, source, sink

    def starts(self, frame: VideoFrame) -> bool:
        import av.error

        self.source.push(frame)
        try:
            self.sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return False
        return True


def _show_size(path: Path, frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Return width and height as shown, before the turn: pixels need not be square.

    Raises:
        TooLargeError: more pixels are shown than Kyara accepts.
    """
    ratio = stream.sample_aspect_ratio
    if not ratio or not 1 / 8 < ratio < 8:
        return frame.width, frame.height
    width = max(1, round(frame.width * ratio))
    _check_size(path, width, frame.height)
    return width, frame.height


def _make_frame(
    number: int, time_s: float, frame: VideoFrame, size: tuple[int, int], longest_px: int | None
) -> Frame:
    width, height = size
    scale = 1.0 if longest_px is None else min(1.0, longest_px / max(width, height))
    pixels = _to_rgb(frame, max(1, round(width * scale)), max(1, round(height * scale)))
    turns = round(frame.rotation / 90) % 4
    if turns:
        pixels = np.rot90(pixels, turns)
    return Frame(number, time_s, np.ascontiguousarray(pixels), scale)


def _to_rgb(frame: VideoFrame, width: int, height: int) -> np.ndarray:
    """Convert to `uint8 (height, width, 3)`; what is transparent becomes white."""
    from av.video.reformatter import Interpolation

    clear = any(component.is_alpha for component in frame.format.components)
    pixels = frame.to_ndarray(
        format="rgba" if clear else "rgb24",
        width=width,
        height=height,
        interpolation=Interpolation.AREA,
    )
    if not clear:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
