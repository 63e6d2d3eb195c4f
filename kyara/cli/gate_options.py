"""The options of `promote` and `retrain` that say how much worse a candidate may be."""

from __future__ import annotations

from typing import Any

import click

from kyara.cli.options import stack
from kyara.registry.gate import Tolerances

_SHARE = click.FloatRange(0, 1)
_OPTIONS: dict[str, tuple[Any, str]] = {
    "top1": (_SHARE, "By how much top-1 may fall."),
    "macro_f1": (_SHARE, "By how much macro-F1 may fall."),
    "ece": (_SHARE, "By how much the calibration error may rise."),
    "recall": (_SHARE, "By how much the recall of any character may fall."),
    "drawings": (click.IntRange(1), "Fewer lost drawings than this are no fall."),
    "wrong_names": (_SHARE, "By how much the wrong names a whole picture may rise."),
}


gate_options: Any = stack(
    *(
        click.option(
            f"--allowed-{name.replace('_', '-')}",
            f"allowed_{name}",
            type=kind,
            default=getattr(Tolerances, name),
            help=text,
        )
        for name, (kind, text) in _OPTIONS.items()
    )
)
"""An option for every tolerance."""


def take_tolerances(given: dict[str, Any]) -> Tolerances:
    """Take the tolerances out of a command's options."""
    return Tolerances(**{name: given.pop(f"allowed_{name}") for name in _OPTIONS})
