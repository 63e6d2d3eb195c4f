"""Where scenes start: FFmpeg's scene scores of one frame after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SCENE_WIDTH_PX = 320
"""Width in which FFmpeg compares frames: scene scores hardly depend on it, their cost does."""


class SceneCuts:
    """FFmpeg's scene scores: tells of each frame whether a new scene starts with it."""

    def __init__(self, stream: VideoStream | None, score: float) -> None:
        """Take the video that frames come from, if they come from one, and the score of a new scene."""
        self.stream, self.score = stream, score
        self.graph: Any = None

    def _configure(self, frame: VideoFrame) -> None:
        import av.filter

        graph = av.filter.Graph()
        if self.stream is not None:
            source = graph.add_buffer(template=self.stream)
        else:
            like = {"width": frame.width, "height": frame.height, "format": frame.format}
            source = graph.add_buffer(**like, time_base=frame.time_base)
        small = graph.add("scale", f"{SCENE_WIDTH_PX}:-2")
        chosen = graph.add("select", f"gt(scene\\,{self.score})")
        sink = graph.add("buffersink")
        for one, other in ((source, small), (small, chosen), (chosen, sink)):
            one.link_to(other)
        graph.configure()
        self.graph, self.source, self.sink = graph, source, sink

    def starts(self, frame: VideoFrame) -> bool:
        """Tell whether a scene starts with a frame; they come in order."""
        import av.error

        if self.graph is None:
            self._configure(frame)
        self.source.push(frame)
        try:
            self.sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return False
        return True
