"""Fixtures of the fault tests: a site that things are done to, and the table that tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawings import LABELS
from faults_page import Row, keep_row
from faulty_site import Record, Site, StartSite, draw

from kyara.vision.images import encode_png, make_data_url, read_image


@pytest.fixture
def start_site(tmp_path: Path, tiny_model_folder: Path) -> Iterator[StartSite]:
    """Start sites that end with the test."""
    sites: list[Site] = []

    def start(model: Path = tiny_model_folder, **settings: Any) -> Site:
        sites.append(Site(tmp_path / f"site{len(sites)}", model, **settings))
        return sites[-1]

    yield start
    for site in sites:
        site.server.stop()


@pytest.fixture
def drawn(tiny_data: Path) -> str:
    """A face that the tiny model knows, as a data URL."""
    return make_data_url(encode_png(read_image(tiny_data / LABELS[0] / "000.png")))


@pytest.fixture
def crops() -> list[str]:
    """Crops to report, each another."""
    return [make_data_url(encode_png(draw(number))) for number in range(40)]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Keep what a fault did in docs/reliability.md."""

    def keep(fault: str, *, broken: str, seen: str, recovery_s: float, lost: str = "nothing") -> None:
        seen = seen.replace("|", "\\|").replace("\n", " ")
        keep_row(Row(fault, request.node.name, broken, seen, lost, f"{recovery_s:.1f} s"))

    return keep
