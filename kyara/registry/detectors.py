"""Which face detector serves: promotion behind a gate, and rollback.

`model/detector.json` holds `serving`, `default` (what runs if nobody names a detector) and `history`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kyara.errors import BundleError, KyaraError
from kyara.registry.gate import FORCE_HINT, GateError
from kyara.registry.history import Registry
from kyara.storage.atomic import replace_file
from kyara.storage.clock import stamp_time
from kyara.vision.detector_bundle import (
    BUNDLE_FILE,
    SERVING_FILE,
    DetectorBundle,
    load_detector_bundle,
)

METRICS_FILE = "metrics.json"
SPLIT = "val"
"""What two detectors are compared on: `test` is for reporting only."""
FALSE_A_PICTURE = "0.1"
TOLERANCE = 0.01
"""So much recall, or average precision, a candidate may lose."""


@dataclass(frozen=True)
class DetectorStep:
    """A detector came to serve; an empty name is the cascade alone.

    Attributes:
        name: of its folder.
        version: of its network.
        at: ISO 8601, UTC.
        action: `promote` or `rollback`.
        reason: why the gate was passed by.
    """

    name: str
    version: str
    at: str
    action: str
    reason: str = ""


def is_detector(name: str, models: Path) -> bool:
    """Return whether a folder of the models is a face detector."""
    return (models / name / BUNDLE_FILE).is_file()


def promote_detector(name: str, models: Path, *, reason: str = "") -> DetectorBundle:
    """Make a face detector serve; a reason, kept in the history, promotes one that is worse.

    Raises:
        BundleError: it is missing or damaged.
        GateError: it is worse than the one that serves, or nobody has measured it; without a reason.
    """
    bundle = load_detector_bundle(models / name)
    before = _read(models)
    if not reason:
        _compare(models, before["serving"], name)
    _write(models, before, DetectorStep(name, bundle.version, stamp_time(), "promote", reason))
    return bundle


def roll_back_detector(models: Path) -> str:
    """Take the last promotion back; return the name that serves then, empty for the cascade alone.

    Raises:
        KyaraError: there is no promotion to take back.
    """
    before = _read(models)
    standing = Registry(before["serving"], tuple(before["history"])).list_standing()
    if not standing:
        raise KyaraError("No detector was promoted, so there is nothing to take back.")
    name = standing[-2]["name"] if len(standing) > 1 else ""
    version = load_detector_bundle(models / name).version if name else ""
    _write(models, before, DetectorStep(name, version, stamp_time(), "rollback"))
    return name


def _read(models: Path) -> dict[str, Any]:
    path = models / SERVING_FILE
    if not path.is_file():
        return {"serving": "", "history": []}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {"serving": str(data["serving"]), "history": list(data.get("history", []))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} cannot be read: {error!r}.") from error


def _write(models: Path, before: dict[str, Any], step: DetectorStep) -> None:
    history = [*before["history"], asdict(step)]
    default = "network" if step.name else "cascade"
    data = {"serving": step.name, "default": default, "history": history}
    replace_file(models / SERVING_FILE, (json.dumps(data, indent=2) + "\n").encode())


def _compare(models: Path, serving: str, name: str) -> None:
    figures = _read_figures(models, name)
    if not serving or serving == name:
        return
    for what, value in _read_figures(models, serving).items():
        if figures[what] < value - TOLERANCE:
            raise GateError(
                f"{what} falls from {value:.3f} to {figures[what]:.3f} on {SPLIT}. {FORCE_HINT}"
            )


def _read_figures(models: Path, name: str) -> dict[str, float]:
    path = models / name / METRICS_FILE
    try:
        measured = json.loads(path.read_text(encoding="utf-8"))[SPLIT]
        recall = float(measured["curve"][FALSE_A_PICTURE]["recall"])
        precision = float(measured["average_precision"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GateError(
            f"{path} has no figures of {SPLIT}: `kyara evaluate {models / name} DATA --split {SPLIT}` "
            f"measures them. {FORCE_HINT}"
        ) from error
    return {
        f"The recall at {FALSE_A_PICTURE} false boxes a picture": recall,
        "The average precision": precision,
    }
