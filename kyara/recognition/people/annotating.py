"""Tracks → the video again, with boxes and names drawn through time; its sound is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kyara.errors import BadInputError, BrokenVideoError, KyaraError
from kyara.recognition.people.video import Person, VideoFaces
from kyara.vision.drawing import BoxLabel, draw_labels
from kyara.vision.video import read_frames

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

SUFFIXES = (".mp4", ".webm")
_TIME_BASE = Fraction(1, 90_000)
_CODECS: dict[str, tuple[str, dict[str, str], str]] = {
    ".mp4": ("libx264", {"preset": "veryfast", "crf": "20"}, "aac"),
    ".webm": (
        "libvpx-vp9",
        {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "32", "b": "0"},
        "libopus",
    ),
}
_SOUND_RATE_HZ = 48_000


def check_target(path: Path) -> None:
    """Refuse a name under which no annotated video can be written.

    Raises:
        BadInputError: another ending than `.mp4` or `.webm`, or the file exists.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BadInputError(f"An annotated video is OUT.mp4 or OUT.webm; received {path.name}.")
    if path.exists():
        raise BadInputError(f"{path} exists already; choose another name, or remove it first.")


def write_annotated(
    watched: VideoFaces,
    target: Path,
    name: Callable[[Person], str],
    language: str = "en",
    progress: Callable[[float], None] = lambda time_s: None,
) -> None:
    """Write a video with boxes and names: H.264 (`.mp4`) or VP9 (`.webm`), `yuv420p`.

    Every frame of the source is in it. The file has its name only when it is whole.

    Args:
        watched: who is where in the source.
        target: the file.
        name: what to write at a face.
        language: of the names.
        progress: called with the time up to which the video is written.

    Raises:
        KyaraError: the file cannot be written.
    """
    import av.error

    partial = target.with_name(f".{target.stem}.partial{target.suffix.lower()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _Writer(partial, watched) as writer:
            for frame in _read_all(watched.source):
                drawn = draw_labels(frame.pixels, _label(watched, frame.time_s, name), language)
                writer.add(frame.time_s, drawn)
                progress(frame.time_s)
        partial.replace(target)
    except (OSError, av.error.FFmpegError) as error:
        raise KyaraError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)


def _read_all(source: Path) -> Iterator[Any]:
    """Give every frame that can be read; what is wrong with the file was told when it was watched."""
    try:
        yield from read_frames(source)
    except BrokenVideoError:
        return


def _label(watched: VideoFaces, time_s: float, name: Callable[[Person], str]) -> list[BoxLabel]:
    return [
        BoxLabel(person.track.find_box(time_s), name(person), bool(person.name))
        for person in watched.people
        if person.start_s <= time_s < person.end_s
    ]


class _Writer:
    """A video file that is being written; used as a context."""

    def __init__(self, path: Path, watched: VideoFaces) -> None:
        import av

        self.codec, options, sound = _CODECS[path.suffix.lower()]
        self.width, self.height = watched.info.width, watched.info.height
        flags = {"movflags": "faststart"} if path.suffix.lower() == ".mp4" else {}
        self.container: OutputContainer = av.open(str(path), "w", options=flags)
        rate = watched.info.rate or Fraction(25)
        self.stream: Any = self.container.add_stream(self.codec, rate=rate, options=dict(options))
        self.stream.width, self.stream.height = (
            self.width + self.width % 2,
            self.height + self.height % 2,
        )
        self.stream.pix_fmt = "yuv420p"
        self.stream.time_base = self.stream.codec_context.time_base = _TIME_BASE
        self.last = -1
        self.sound = _Sound(watched.source, self.container, sound) if watched.info.has_audio else None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self.container.mux(self.stream.encode())
                if self.sound is not None:
                    self.sound.copy_until(float("inf"))
        finally:
            if self.sound is not None:
                self.sound.close()
            self.container.close()

    def add(self, time_s: float, pixels: np.ndarray) -> None:
        """Encode a frame; a side of odd length gets one more row or column."""
        import av

        height, width = pixels.shape[:2]
        if (height, width) != (self.height, self.width):
            pixels = pixels[: self.height, : self.width]
            height, width = pixels.shape[:2]
        more = ((0, self.stream.height - height), (0, self.stream.width - width), (0, 0))
        if more[0][1] or more[1][1]:
            pixels = np.pad(pixels, more, mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        self.last = max(self.last + 1, round(time_s / _TIME_BASE))
        frame.pts, frame.time_base = self.last, _TIME_BASE
        self.container.mux(self.stream.encode(frame))
        if self.sound is not None:
            self.sound.copy_until(time_s)


class _Sound:
    """The sound track of the source, encoded anew, in step with the picture."""

    def __init__(self, source: Path, target: OutputContainer, codec: str) -> None:
        import av

        self.input: InputContainer = av.open(str(source))
        self.target = target
        self.stream: Any = target.add_stream(codec, rate=_SOUND_RATE_HZ, layout="stereo")
        self.resampler = av.AudioResampler("fltp" if codec == "aac" else "s16", "stereo", _SOUND_RATE_HZ)
        start = self.input.streams.video[0].start_time or 0
        self.start_s = float(start * (self.input.streams.video[0].time_base or 0))
        self.frames = self._decode()
        self.done = False

    def _decode(self) -> Iterator[Any]:
        import av.error

        try:
            yield from self.input.decode(audio=0)
        except av.error.FFmpegError:
            return  # what is left of a sound track that is damaged

    def copy_until(self, time_s: float) -> None:
        while not self.done:
            frame = next(self.frames, None)
            if frame is None:
                self.done = True
                for rest in self.resampler.resample(None):
                    self.target.mux(self.stream.encode(rest))
                self.target.mux(self.stream.encode())
                return
            now = (frame.time or 0.0) - self.start_s
            if frame.pts is not None and frame.time_base:
                frame.pts -= round(self.start_s / frame.time_base)
            for part in self.resampler.resample(frame):
                self.target.mux(self.stream.encode(part))
            if now >= time_s:
                return

    def close(self) -> None:
        self.input.close()
