"""The option of every command that looks for faces."""

from __future__ import annotations

from typing import Any

import click

from kyara.vision.detectors.base import DEFAULT_DETECTOR, DETECTORS

detector_option: Any = click.option(
    "--detector",
    type=click.Choice(list(DETECTORS)),
    default=DEFAULT_DETECTOR,
    show_default=True,
    help="What finds the faces.",
)
