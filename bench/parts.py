"""The parts of the benchmark, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Part:
    """One chapter.

    Attributes:
        name: on the command line and in the results.
        title: on the page.
        module: has `measure(quick)` and `describe(data)`.
    """

    name: str
    title: str
    module: str

    @property
    def measure(self) -> Callable[[bool], dict[str, Any]]:
        """Measures; returns plain data."""
        return import_module(self.module).measure

    @property
    def describe(self) -> Callable[[dict[str, Any]], list[str]]:
        """Turns the data into lines of Markdown."""
        return import_module(self.module).describe


PARTS = (
    Part("network", "The network", "bench.network"),
    Part("http", "Identification over HTTP", "bench.serving"),
    Part("profile", "Where the time of a request goes", "bench.profile"),
    Part("sending", "What a crop costs on its way", "bench.sending"),
    Part("memory", "Start and memory", "bench.memory"),
    Part("page", "The page", "bench.browsing"),
    Part("detector", "Finding faces in the browser", "bench.detector"),
    Part("gallery", "Searching the gallery", "bench.gallery"),
)
