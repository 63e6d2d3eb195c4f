"""The option of every command that looks for faces."""

from __future__ import annotations

from typing import Any

import click

from kyara.vision.detectors.base import DETECTORS

detector_option: Any = click.option(
    "--detector",
    type=click.Choice(list(DETECTORS)),
    help="What finds the faces.  [default: as model/detector.json says]",
)
