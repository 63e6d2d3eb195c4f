"""What runs bulk work: options of several commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--engine` and `--workers`, which come as `engine_name` and `workers`."""
    for option in (
        click.option(
            "--workers",
            type=click.IntRange(1, 10_000),
            help="How much is worked on at a time.  [default: one worker for each processor]",
        ),
        click.option(
            "--engine",
            "engine_name",
            type=click.Choice(["local", "ray"]),
            default="local",
            help="Processes of this machine, or Ray: the cluster at RAY_ADDRESS, else a local one.",
        ),
    ):
        command = option(command)
    return command
