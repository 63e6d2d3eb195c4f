"""What runs bulk work: options of several commands."""

from __future__ import annotations

from typing import Any

import click

from kyara.cli.options import stack

engine_options: Any = stack(
    click.option(
        "--engine",
        "engine_name",
        type=click.Choice(["local", "ray"]),
        default="local",
        help="Processes of this machine, or Ray: the cluster at RAY_ADDRESS, else a local one.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1, 10_000),
        help="How much is worked on at a time.  [default: one worker for each processor]",
    ),
)
