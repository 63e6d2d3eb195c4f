"""What a bundle is made of, and whether its parts fit each other. Nothing here knows about files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from kyara.errors import BundleError
from kyara.recognition.characters import Character
from kyara.recognition.colourless import ColourlessLayer
from kyara.vision.boxes import FoundFace, Window, grow_box, spread_box

Task = Literal["single", "multi"]
UNIT_TOLERANCE = 0.01
"""How far a reference's length may be from 1; float16 is a tenth of it off."""
MAX_VIEWS = 16
MAX_INPUT_PX = 2048
MAX_CHARACTERS = 100_000
GATE_LENGTHS = (5, 7)
"""A constant and a weight for each of `answers.GATE_MEASURES`; older gates weigh the first four."""


@dataclass(frozen=True)
class View:
    """One way in which a crop is shown to the network.

    Attributes:
        inset: share of the crop's side cut off at each edge, 0 to 0.4.
        mirror: swap left and right.
    """

    inset: float = 0.0
    mirror: bool = False


@dataclass(frozen=True)
class Preprocessing:
    """How a crop becomes the network's input: data that travels with the weights.

    Attributes:
        input_px: side of the square input.
        scale: values that bytes 0 and 255 become.
        views: the crop is shown in each of these; features are averaged.
        first_views: so many of them come first, the rest count only where those leave it unsure; 0: all.
        margin: side of the crop relative to the tight face (cheek to cheek, fringe to chin).
        upright_from_deg: a face that leans further is turned upright; 180 turns none.
    """

    input_px: int
    scale: tuple[float, float] = (0.0, 1.0)
    views: tuple[View, ...] = (View(),)
    margin: float = 1.5  # the cascade's boxes, which bundles without a margin were trained on
    upright_from_deg: float = 20.0
    first_views: int = 0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        low, high = data["scale"]
        views = tuple(View(**view) for view in data["views"])
        margin = data.get("margin", cls.margin)
        upright = data.get("upright_from_deg", cls.upright_from_deg)
        first = data.get("first_views", cls.first_views)
        return cls(data["input_px"], (low, high), views, margin, upright, first)

    def find_window(self, face: FoundFace, box_scale: float, width: int, height: int) -> Window:
        """Return the part of a picture that the model sees of a face.

        Args:
            face: as a detector gives it.
            box_scale: of that detector.
            width: of the picture.
            height: of the picture.
        """
        times = self.margin / box_scale
        if abs(face.roll_deg) < self.upright_from_deg:
            return Window(grow_box(face.box, times, width, height))
        return Window(spread_box(face.box, times), face.roll_deg)


@dataclass(frozen=True)
class Calibration:
    """What turns scores into honest confidence and tells known from unknown.

    Attributes:
        temperature: scores are divided by it before the softmax (or the sigmoid).
        familiarity_threshold: from it on a face is called known; see `answers.score_open_set`.
        probable_threshold: from it on it is probably who is answered first, below it unknown. None: a
            face is known or unknown.
        settled_threshold: from it on the first views suffice; see `Preprocessing.first_views`.
        gate: how the log-odds that the first answer is right follow from what is measured: a constant
            and a weight for each of `answers.GATE_MEASURES`, or for the first four of them. Empty: the
            best score counts.
        similarity_scale: how many logits a cosine of 1 is worth; see `answers.merge_scores`.
        gallery_weight: share of the nearest reference in a score, 0 to 1; the head's is the rest.
        label_thresholds: task `multi` only: from which probability each label is an answer.
    """

    temperature: float = 1.0
    familiarity_threshold: float = float("-inf")
    similarity_scale: float = 6.0
    gallery_weight: float = 0.0
    label_thresholds: tuple[float, ...] = ()
    probable_threshold: float | None = None
    settled_threshold: float = float("inf")
    gate: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        lists = {name: tuple(data.get(name, ())) for name in ("label_thresholds", "gate")}
        return cls(**{**data, **lists})


@dataclass(frozen=True)
class Bundle:
    """Everything that serving needs, except the backbone's own bytes, which stay on disk.

    Attributes:
        name: folder name under `model/`.
        version: short content hash; changes whenever any part changes.
        characters: whom the model knows; each has a column of the head, references, or both.
        preprocessing: how crops become input.
        calibration: how scores become answers.
        backbone: path of the LiteRT file.
        head_weight: `float32 (features, H)`.
        head_bias: `float32 (H,)`.
        gallery_features: `float (R, features)`, unit length; `float16` if it was read; R may be 0.
        gallery_rows: `int64 (R,)`, the character of each reference.
        provenance: how it was made.
        head_rows: `int64 (H,)`, the character of each column; by default column i is character i.
        gallery_ids: the name of each reference, such as its path in the dataset; may be empty strings.
        task: `single` (one of the characters, softmax) or `multi` (independent labels, sigmoid).
        colourless: what the features of drawings without colours go through; None: nothing.
    """

    name: str
    version: str
    characters: tuple[Character, ...]
    preprocessing: Preprocessing
    calibration: Calibration
    backbone: Path
    head_weight: np.ndarray
    head_bias: np.ndarray
    gallery_features: np.ndarray
    gallery_rows: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)
    head_rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    gallery_ids: tuple[str, ...] = ()
    task: Task = "single"
    colourless: ColourlessLayer | None = None

    def __post_init__(self) -> None:
        """Fill in what is left out: one column a character, references without names."""
        if not len(self.head_rows):
            object.__setattr__(self, "head_rows", np.arange(len(self.head_bias)))
        if not self.gallery_ids:
            object.__setattr__(self, "gallery_ids", ("",) * len(self.gallery_rows))

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(character.label for character in self.characters)


def check_bundle(bundle: Bundle) -> None:
    """Refuse a bundle whose parts do not fit each other.

    Raises:
        BundleError: the sentence says which.
    """
    problem = next(_list_problems(bundle), None)
    if problem:
        raise BundleError(f"The model at {bundle.backbone.parent} does not fit together: {problem}.")


def _list_problems(bundle: Bundle) -> Iterator[str]:
    """Tell what is wrong. Later checks rely on what earlier ones have looked at."""
    yield from _list_preprocessing_problems(bundle.preprocessing)
    yield from _list_text_problems(bundle)
    count = len(bundle.characters)
    weight, bias, columns = bundle.head_weight, bundle.head_bias, bundle.head_rows
    features, rows = bundle.gallery_features, bundle.gallery_rows
    if bundle.task not in get_args(Task):
        yield f"its task is {bundle.task!r}, not one of {', '.join(get_args(Task))}"
    if len(set(bundle.labels)) != count:
        yield "two of its characters have the same label"
    if weight.ndim != 2 or bias.shape != weight.shape[1:] or columns.shape != bias.shape:
        yield f"its head has the shape {weight.shape} with {bias.size} biases for {count} characters"
    if features.shape != (len(rows), weight.shape[0]) or rows.ndim != 1:
        yield f"its gallery has the shape {features.shape} for {rows.size} rows"
    if len(bundle.gallery_ids) != len(rows):
        yield f"its gallery has {len(bundle.gallery_ids)} names for {len(rows)} references"
    known = np.concatenate([columns, rows])
    if len(known) and not 0 <= known.min() <= known.max() < count:
        yield f"its head or gallery speaks of character {known.max()} of {count} characters"
    if len(np.unique(columns)) != len(columns):
        yield "two columns of its head are for the same character"
    idle = np.setdiff1d(np.arange(count), known)
    if len(idle):
        label = bundle.labels[idle[0]]
        yield f"{label} ({len(idle)} of {count} characters) has neither a head column nor a reference"
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        yield "its head has numbers that are not finite"
    yield from _list_colourless_problems(bundle.colourless, weight.shape[0])
    lengths = np.linalg.norm(features.astype(np.float32), axis=1)
    if not (np.abs(lengths - 1) < UNIT_TOLERANCE).all():  # false for NaN, too
        yield "its gallery has features that are not finite numbers of unit length"
    yield from _list_calibration_problems(bundle)


def _list_colourless_problems(layer: ColourlessLayer | None, features: int) -> Iterator[str]:
    if layer is None:
        return
    parts = (layer.linear, layer.hidden, layer.hidden_bias, layer.out)
    hidden = layer.hidden_bias.size
    expected = [(2 * features, features), (2 * features, hidden), (hidden,), (hidden, features)]
    if [part.shape for part in parts] != expected:
        yield f"its layer for drawings without colours has the shapes {[part.shape for part in parts]}"
    elif not all(np.isfinite(part).all() for part in parts):
        yield "its layer for drawings without colours has numbers that are not finite"


def _list_calibration_problems(bundle: Bundle) -> Iterator[str]:
    calibration, count = bundle.calibration, len(bundle.characters)
    threshold = calibration.familiarity_threshold
    if not _is_within(calibration.temperature, 1e-3, 1e3):
        yield f"its temperature is {calibration.temperature!r:.80}, not 0.001 to 1,000"
    if not _is_within(calibration.similarity_scale, -1e6, 1e6):
        yield f"its scale of similarity is {calibration.similarity_scale!r:.80}, not a finite number"
    if threshold != float("-inf") and not _is_within(threshold, -1e6, 1e6):
        yield f"its threshold is {threshold!r:.80}, not a number"
    probable, settled = calibration.probable_threshold, calibration.settled_threshold
    if probable is not None and not _is_within(probable, -1e6, 1e6):
        yield f"its threshold of what is probable is {probable!r:.80}, not a number"
    if settled != float("inf") and not _is_within(settled, -1e6, 1e6):
        yield f"its threshold of what is settled is {settled!r:.80}, not a number"
    if calibration.gate and len(calibration.gate) not in GATE_LENGTHS:
        yield f"its gate has {len(calibration.gate)} numbers, not {GATE_LENGTHS[0]} or {GATE_LENGTHS[1]}"
    if not all(_is_within(one, -1e6, 1e6) for one in calibration.gate):
        yield "its gate has numbers that are not finite"
    if not _is_within(calibration.gallery_weight, 0, 1):
        yield f"its gallery weight is {calibration.gallery_weight!r:.80}, not 0 to 1"
    if bundle.task == "multi" and len(calibration.label_thresholds) != count:
        yield f"it has {len(calibration.label_thresholds)} thresholds for {count} labels"
    odd = [one for one in calibration.label_thresholds if not _is_within(one, 0, 1)]
    if odd:
        yield f"a label's threshold is {odd[0]!r:.80}, not 0 to 1"


def _list_preprocessing_problems(preprocessing: Preprocessing) -> Iterator[str]:
    side, views = preprocessing.input_px, preprocessing.views
    if not isinstance(side, int) or not _is_within(side, 1, MAX_INPUT_PX):
        yield f"its input is {side!r:.80} px, not 1 to {MAX_INPUT_PX:,}"
    if not all(_is_within(one, -1e4, 1e4) for one in preprocessing.scale):
        yield f"its scale is {preprocessing.scale!r:.80}, not two finite numbers"
    if not _is_within(preprocessing.margin, 0.5, 4):
        yield f"its margin is {preprocessing.margin!r:.80}, not 0.5 to 4"
    if not _is_within(preprocessing.upright_from_deg, 0, 180):
        yield f"it turns faces from {preprocessing.upright_from_deg!r:.80} degrees on, not 0 to 180"
    first = preprocessing.first_views
    if not isinstance(first, int) or not _is_within(first, 0, len(views)):
        yield f"its first views are {first!r:.80}, not 0 to {len(views)}"
    if not 1 <= len(views) <= MAX_VIEWS:
        yield f"it has {len(views):,} views, not 1 to {MAX_VIEWS}"
    odd = [one for one in views if not (_is_within(one.inset, 0, 0.4) and isinstance(one.mirror, bool))]
    if odd:
        yield f"a view is {odd[0]!r:.120}: an inset is 0 to 0.4, mirror true or false"


def _list_text_problems(bundle: Bundle) -> Iterator[str]:
    count = len(bundle.characters)
    if not 1 <= count <= MAX_CHARACTERS:
        yield f"it has {count:,} characters, not 1 to {MAX_CHARACTERS:,}"
    for character in bundle.characters:
        texts = [character.label, *character.name, *character.name.values()]
        texts += [*character.work, *character.work.values()]
        if not all(isinstance(text, str) and _is_unicode(text) for text in texts):
            yield f"a label, a name or a work of {character.label!a:.120} is not text"
    try:
        json.dumps(bundle.provenance, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        yield f"how it was made is not told in plain JSON: {error}"
    if not isinstance(bundle.provenance, dict):
        yield "how it was made is not told in plain JSON: it is no object"


def _is_within(value: object, low: float, high: float) -> bool:
    """Tell whether something is a number within bounds, which NaN and a truth value are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be sent: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
