"""A detector on disk: the network, how a picture is shown to it, its levels, and where it comes from.

model/detector-…/detector.json      format version, looks, thresholds, provenance, SHA-256 of the network
model/detector-…/detector.tflite    picture → cells; OpenCV.js, OpenCV and LiteRT read it
model/detector-…/eyes.tflite        face → its eyes; not every detector has one
model/detector-…/metrics.json       what evaluation measured
model/detector-…/MODEL_CARD.md
model/detector.json                 {"serving": name, "default": "network" or "cascade", "history": […]}
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from kyara.errors import BundleError
from kyara.storage.atomic import replace_file
from kyara.storage.paths import MODEL_FOLDER

FORMAT = 1
BUNDLE_FILE, NETWORK_FILE, SERVING_FILE = "detector.json", "detector.tflite", "detector.json"
EYES_FILE = "eyes.tflite"
LARGEST_SIDE_PX = 1280
LARGEST_NUMBER = 1000
MOST_SIDES = 8
NUMBERS = ("longest_ratio", "tile_overlap", "most_enlarged", "fill", "min_box_px", "max_boxes")
SECOND_LOOK = ("least", "most", "face_px", "side_px", "faces")
MOST_SECOND_LOOKS = 64
LARGEST_EYES_PX = 256
EYES = ("margin", "most_error", "from_deg")
SETTINGS = ("longest_sides_px", "live_longest_sides_px", *NUMBERS, "merge")


@dataclass(frozen=True)
class DetectorBundle:
    """A loaded detector.

    Attributes:
        name: of its folder.
        version: 12 hexadecimal digits that change with the network, its settings and its levels: the
            name of what it finds.
        network: the LiteRT file.
        settings: how a picture is shown to it: `longest_sides_px`, `live_longest_sides_px`,
            `longest_ratio`, `tile_overlap`, `most_enlarged`, `fill`, `min_box_px`, `max_boxes`, `merge`,
            `tells_eyes` (it was taught where they are), `second_look`: None, or candidates with scores
            from `least` up to `most`, at most so many `faces` of a picture, are looked at again in a
            square of `side_px` in which they are `face_px` wide; `eyes`, where there is `eyes.tflite`:
            its `sha256`, the `side_px` of its input, the `margin` of that around the tight face, the
            `most_error` that it may expect of its own answer, in sides of its input, for eyes to be
            told, and `from_deg`, the least lean that is told as the face's.
        thresholds: least score of each level, from fewer faces to more.
        default_level: index into `thresholds`.
        surest_level: index into `thresholds`: a still picture's surest face is shown at every level if
            this one shows it; None: it is a face like the others.
        plays_level: index into `thresholds`, the default for what plays.
        provenance: what it was made from.
        eyes: the LiteRT file of the eye network; None where there is none.
    """

    name: str
    version: str
    network: bytes
    settings: dict[str, Any]
    thresholds: tuple[float, ...]
    default_level: int
    provenance: dict[str, Any]
    eyes: bytes | None = None
    surest_level: int | None = None
    plays_level: int = 0

    @property
    def surest_from(self) -> float | None:
        """Score from which a still picture's surest face is shown at every level; None: it is not."""
        return None if self.surest_level is None else self.thresholds[self.surest_level]

    def describe(self) -> dict[str, Any]:
        """Return what the page needs to know beside the network, as JSON has it."""
        described = {
            "thresholds": list(self.thresholds),
            "default_level": self.default_level,
            "settings": self.settings,
        }
        # only where they say something: else the versions of earlier detectors would change
        if self.surest_level is not None:
            described["surest_level"] = self.surest_level
        if self.plays_level != self.default_level:
            described["plays_level"] = self.plays_level
        return described


def find_default_detector(models: Path | None = None) -> str:
    """Return the name of the detector to use if nobody asks for one: `network` or `cascade`."""
    try:
        data = json.loads(((models or MODEL_FOLDER) / SERVING_FILE).read_text(encoding="utf-8"))
        return "network" if data["default"] == "network" else "cascade"
    except (OSError, ValueError, KeyError, TypeError):
        return "cascade"


def find_detector_bundle(models: Path | None = None) -> Path:
    """Return the folder of the detector that serves.

    Args:
        models: where detectors are; `model/` by default.

    Raises:
        BundleError: none serves.
    """
    models = models or MODEL_FOLDER
    try:
        name = json.loads((models / SERVING_FILE).read_text(encoding="utf-8"))["serving"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"No face network serves: {models / SERVING_FILE} cannot be read.") from error
    if not isinstance(name, str) or Path(name).name != name:
        raise BundleError(f"{models / SERVING_FILE} names no detector: {name!r}.")
    return models / name


def load_detector_bundle(folder: Path) -> DetectorBundle:
    """Read and verify a detector.

    Raises:
        BundleError: it is missing or damaged; the sentence says what.
    """
    path = folder / BUNDLE_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        network = (folder / NETWORK_FILE).read_bytes()
        eyes = (folder / EYES_FILE).read_bytes() if (folder / EYES_FILE).exists() else None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"The detector {folder} cannot be read: {error}.") from error
    try:
        return _check(folder.name, data, network, eyes)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BundleError(f"{path} is not whole: {error!r}.") from error


def _check(name: str, data: dict[str, Any], network: bytes, eyes: bytes | None) -> DetectorBundle:
    if data["format"] != FORMAT:
        raise BundleError(
            f"The detector {name} has format {data['format']!r}; this Kyara reads {FORMAT}."
        )
    digest = hashlib.sha256(network).hexdigest()
    if digest != data["sha256"]:
        raise BundleError(f"{name}/{NETWORK_FILE} is damaged: its SHA-256 is not that of {BUNDLE_FILE}.")
    thresholds = tuple(float(value) for value in data["thresholds"])
    level = data["default_level"]
    falling = all(first > second for first, second in pairwise(thresholds))
    if not 1 <= len(thresholds) <= LARGEST_NUMBER:
        raise ValueError(f"{len(thresholds):,} thresholds")
    if not falling or not 0 < thresholds[-1] <= thresholds[0] < 1:
        raise ValueError(f"thresholds {thresholds}")
    if not isinstance(level, int) or not 0 <= level < len(thresholds):
        raise ValueError(f"default_level {level!r}")
    surest, plays = data.get("surest_level"), data.get("plays_level", level)
    for other in (plays,) if surest is None else (plays, surest):
        if not isinstance(other, int) or not level <= other < len(thresholds):
            raise ValueError(f"surest_level {surest!r}, plays_level {plays!r}")
    settings = {key: data["settings"][key] for key in SETTINGS}
    for key in ("longest_sides_px", "live_longest_sides_px"):
        sides = settings[key]
        fit = all(isinstance(side, int) and 32 <= side <= LARGEST_SIDE_PX for side in sides)
        if not 1 <= len(sides) <= MOST_SIDES or not fit:
            raise ValueError(f"{key} {sides!r:.120}")
    merge = {f"merge {key}": settings["merge"][key] for key in ("overlap", "inside")}
    for key, value in {**{key: settings[key] for key in NUMBERS}, **merge}.items():
        if not isinstance(value, int | float) or not 0 < value < LARGEST_NUMBER:
            raise ValueError(f"{key} {value!r}")
    if not settings["tile_overlap"] < 1 <= settings["longest_ratio"]:
        raise ValueError(f"tiles of {settings['longest_ratio']} with {settings['tile_overlap']}")
    settings["tells_eyes"] = data["settings"].get("tells_eyes", False)
    if not isinstance(settings["tells_eyes"], bool):
        raise ValueError(f"tells_eyes {settings['tells_eyes']!r}")
    settings["second_look"] = _check_second_look(data["settings"].get("second_look"))
    if (looks := data["settings"].get("eyes")) is None:
        eyes = None
    else:
        settings["eyes"] = _check_eyes(looks)
        if eyes is None or hashlib.sha256(eyes).hexdigest() != looks["sha256"]:
            raise BundleError(f"{name}/{EYES_FILE} is missing or damaged: {BUNDLE_FILE} names another.")
    bundle = DetectorBundle(
        name, "", network, settings, thresholds, level, data["provenance"], eyes, surest, plays
    )
    found = json.dumps([digest, bundle.describe()], sort_keys=True)
    return replace(bundle, version=hashlib.sha256(found.encode()).hexdigest()[:12])


def _check_second_look(again: dict[str, Any] | None) -> dict[str, Any] | None:
    if again is None:
        return None
    least, most, face, side, faces = (again[key] for key in SECOND_LOOK)
    numbers = all(isinstance(value, int | float) for value in (least, most, face))
    if not numbers or not 0 < least < most < 1 or not 8 <= face <= LARGEST_SIDE_PX:
        raise ValueError(f"second_look {again!r:.200}")
    whole = isinstance(side, int) and isinstance(faces, int)
    if not whole or not face <= side <= LARGEST_SIDE_PX or not 1 <= faces <= MOST_SECOND_LOOKS:
        raise ValueError(f"second_look {again!r:.200}")
    return {key: again[key] for key in SECOND_LOOK}


def _check_eyes(eyes: dict[str, Any]) -> dict[str, Any]:
    numbers = [eyes[key] for key in EYES]
    side = eyes["side_px"]
    if not all(isinstance(value, int | float) and 0 < value <= 180 for value in numbers):
        raise ValueError(f"eyes {eyes!r:.200}")
    if not isinstance(side, int) or not 16 <= side <= LARGEST_EYES_PX:
        raise ValueError(f"eyes {eyes!r:.200}")
    return {key: eyes[key] for key in ("sha256", "side_px", *EYES)}


def write_detector_bundle(
    folder: Path, network: bytes, data: dict[str, Any], eyes: bytes | None = None
) -> DetectorBundle:
    """Write a detector: the networks first, then what names them.

    Args:
        folder: need not exist.
        network: the LiteRT file.
        data: `settings`, `thresholds`, `default_level`, `provenance`, and if there are any
            `surest_level` and `plays_level`.
        eyes: the LiteRT file of the eye network, if `settings` has `eyes`.
    """
    whole = {"format": FORMAT, "sha256": hashlib.sha256(network).hexdigest(), **data}
    if eyes is not None:
        looks = {**data["settings"]["eyes"], "sha256": hashlib.sha256(eyes).hexdigest()}
        whole["settings"] = {**data["settings"], "eyes": looks}
    bundle = _check(folder.name, whole, network, eyes)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / NETWORK_FILE, network)
    if eyes is not None:
        replace_file(folder / EYES_FILE, eyes)
    replace_file(folder / BUNDLE_FILE, (json.dumps(whole, indent=2) + "\n").encode())
    return bundle
