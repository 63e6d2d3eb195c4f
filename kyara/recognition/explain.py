"""Why this answer: what a label's score rests on in a crop, and the nearest references.

In: a loaded model, a crop, a label. Out: an `Explanation`. Nothing here looks inside the network: parts
of the crop are hidden or cut out, and the score that answers are ranked by is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from kyara.errors import BadInputError
from kyara.recognition.backbone import prepare_crop
from kyara.recognition.bundle import View
from kyara.recognition.classifier import Classifier
from kyara.recognition.identities import Neighbour
from kyara.recognition.saliency import (
    WINDOW_SHARES,
    ScoreBoxes,
    ScoreMasks,
    map_occlusion,
    map_random_masks,
    map_windows,
    scale_heat,
)
from kyara.vision.boxes import Box
from kyara.vision.drawing import encode_heatmap, fit_size
from kyara.vision.images import crop_pixels, encode_png, make_data_url

METHODS: Mapping[str, str] = {
    "occlusion": "a patch hides one place after the other: how much does the score fall?",
    "sliding-window": "one window after the other is cut out: what is its score?",
    "rise": "random masks hide half of the crop: how much higher is the score where a place is shown?",
}
"""Method → the question that its map answers."""
MAX_RUNS = 256
"""Network runs that one map takes at an input of `FULL_RUNS_PX` or less: a second on two cores."""
FULL_RUNS_PX = 128
OWN_REFERENCES = 3
OTHER_REFERENCES = 2
_SEARCHED_REFERENCES = 40
_WHY_NOT = {
    "grad-cam": "Grad-CAM needs the gradients of the network's last feature map; LiteRT, which runs the "
    "network here, gives none, and that map has very few cells at this input size (2 × 2 at 128 px). ",
    "deconvolution": "A deconvolution map runs the network backwards; LiteRT runs it forwards only. ",
}


@dataclass(frozen=True)
class Explanation:
    """Why a crop has its score for a label.

    Attributes:
        label: the character that is explained.
        method: one of `METHODS`.
        score: of the whole crop for the label, as answers are ranked by.
        raw: `float32 (S, S)` over the crop, stretched to its shape; signed, in units of the score.
        heat: `float32 (S, S)` from 0 (does not speak for the label) to 1 (does so most).
        strength: how much the map's strongest place changes the score, in units of the calibration
            temperature; below 1 no single place decides.
        span: the change of the score that a heat of 1 stands for.
        nearest: references near to this crop, nearest first: some of the label, some of others.
    """

    label: str
    method: str
    score: float
    raw: np.ndarray
    heat: np.ndarray
    strength: float
    span: float
    nearest: tuple[Neighbour, ...]


def explain_crop(
    classifier: Classifier, pixels: np.ndarray, label: str | None = None, method: str = "occlusion"
) -> Explanation:
    """Say which places of a crop speak for a label.

    Args:
        classifier: a loaded model.
        pixels: `uint8 (H, W, 3)` sRGB, any size.
        label: any character that the model knows, taught ones too; by default the best answer.
        method: one of `METHODS`.

    Returns:
        A map over the crop, and the nearest references.

    Raises:
        BadInputError: the model does not know the label, or there is no such method.
    """
    check_method(method)
    classifier = classifier.frozen()  # all scores of one moment
    labels = classifier.labels
    if not labels or (label is not None and label not in labels):
        raise BadInputError(f"The model knows nobody by the label {ascii(label)[:120]}.")
    features = classifier.look([pixels])
    label = label or classifier.answer(features, top_k=1)[0].answers[0].label
    column = labels.index(label)
    raw = _draw_map(classifier, pixels, column, method)
    # A window's score has no zero that means something; the other maps are changes of the score.
    floor = float(raw.min()) if method == "sliding-window" else 0.0
    temperature = classifier.bundle.calibration.temperature
    change = max(0.0, float(raw.max()) - floor)
    span = max(change, temperature)
    return Explanation(
        label=label,
        method=method,
        score=float(classifier.score(features)[0][0, column]),
        raw=raw,
        heat=scale_heat(raw, floor, span),
        strength=change / temperature,
        span=span,
        nearest=_find_nearest(classifier, features[0], label),
    )


def check_method(method: str) -> None:
    """Refuse a method that is not one of `METHODS`.

    Raises:
        BadInputError: it is not; the message says why if others have it.
    """
    if method not in METHODS:
        why = _WHY_NOT.get(method.lower().replace("_", "-"))
        why = why or f"There is no method {ascii(method)[:40]}. "
        raise BadInputError(f"{why}Choose one of: {', '.join(METHODS)}.")


def count_runs(input_px: int) -> int:
    """Return how many network runs a map may take, so that it takes the same time at any input size."""
    return max(16, min(MAX_RUNS, round(MAX_RUNS * (FULL_RUNS_PX / input_px) ** 2)))


def _draw_map(classifier: Classifier, pixels: np.ndarray, column: int, method: str) -> np.ndarray:
    preprocessing = classifier.backbone.preprocessing
    size = preprocessing.input_px
    runs = count_runs(size)
    looks = max(8, runs // len(preprocessing.views))
    if method == "sliding-window":
        return map_windows(_score_boxes(classifier, pixels, column), size, looks)
    if method == "rise":
        # Many masks in one view each give a better map than few masks in every view.
        return map_random_masks(_score_masks(classifier, pixels, column, in_turn=True), size, runs)
    return map_occlusion(_score_masks(classifier, pixels, column), size, looks)


def _score_masks(
    classifier: Classifier, pixels: np.ndarray, column: int, *, in_turn: bool = False
) -> ScoreMasks:
    """Return a function that scores the crop under masks; what they hide becomes its mean colour.

    `in_turn` shows each pair of masks in one of the bundle's views, instead of each mask in all.
    The network runs once a view, as for answers: batches of 8 save LiteRT 5% of its CPU time at 128 px,
    for a second interpreter in memory and longer turns of whoever waits.
    """
    backbone = classifier.backbone.deciding_by(pixels)
    views = backbone.preprocessing.views
    shown = prepare_crop(pixels, backbone.preprocessing)
    hidden = shown.mean(axis=(0, 1, 2))

    def show(masks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for number, mask in enumerate(masks):
            for view in [number // 2 % len(views)] if in_turn else range(len(views)):
                seen = see_mask(mask, views[view])[..., None]
                yield hidden + seen * (shown[view] - hidden)

    def score(masks: Iterable[np.ndarray]) -> np.ndarray:
        of_views = np.stack(list(backbone.extract_views(show(masks))))
        of_masks = of_views.reshape(-1, 1 if in_turn else len(views), of_views.shape[-1])
        return classifier.score(of_masks.mean(axis=1))[0][:, column]

    return score


def see_mask(mask: np.ndarray, view: View) -> np.ndarray:
    """Return what a view of the crop shows of a mask that lies over the crop.

    Args:
        mask: `float32 (S, S)`.
        view: cuts off the edges, and may mirror.

    Returns:
        `float32 (S, S)`, the nearest cell of the mask for each.
    """
    size = len(mask)
    places = view.inset + (np.arange(size) + 0.5) / size * (1 - 2 * view.inset)
    cells = (places * size).astype(int)
    return mask[np.ix_(cells, cells[::-1] if view.mirror else cells)]


def _score_boxes(classifier: Classifier, pixels: np.ndarray, column: int) -> ScoreBoxes:
    """Return a function that scores what boxes on the map's grid cut out of the crop."""
    backbone = classifier.backbone.deciding_by(pixels)
    size = backbone.preprocessing.input_px
    # A window need not have more pixels than the network sees.
    image = Image.fromarray(pixels)
    longest = 2 * size / min(WINDOW_SHARES)
    image.thumbnail((longest, longest))
    smaller = np.asarray(image)
    height, width = smaller.shape[:2]

    def score(boxes: Iterable[Box]) -> np.ndarray:
        crops = (crop_pixels(smaller, scale_box(box, size, width, height)) for box in boxes)
        return classifier.score(backbone.extract(crops))[0][:, column]

    return score


def scale_box(box: Box, size: int, width: int, height: int) -> Box:
    """Return the pixels of a `width` × `height` picture under a box on a `size` × `size` grid over it.

    Pixels that are only partly under the box belong to it.
    """
    left, top = box.x * width // size, box.y * height // size
    right = -(-(box.x + box.width) * width // size)
    bottom = -(-(box.y + box.height) * height // size)
    return Box(left, top, right - left, bottom - top)


def _find_nearest(classifier: Classifier, features: np.ndarray, label: str) -> tuple[Neighbour, ...]:
    own = classifier.nearest(features, label, OWN_REFERENCES)
    near = classifier.nearest(features, None, _SEARCHED_REFERENCES)
    others = [neighbour for neighbour in near if neighbour.label != label][:OTHER_REFERENCES]
    return tuple(sorted(own + others, key=lambda neighbour: -neighbour.similarity))


def describe_explanation(
    explanation: Explanation,
    classifier: Classifier,
    size: tuple[int, int],
    language: str,
    draw_thumbnail: Callable[[str], np.ndarray | None] = lambda reference: None,
) -> dict[str, Any]:
    """Return an explanation as JSON has it.

    Args:
        explanation: what to describe.
        classifier: the view that it was made with, so that it knows every label.
        size: width and height of the crop.
        language: of the names.
        draw_thumbnail: gives a picture of a taught reference; others are never shown.

    Returns:
        `heatmap` (a data URL in the crop's shape), `method`, `label`, `score`, `strength`, `nearest`.
    """
    nearest = []
    for neighbour in explanation.nearest:
        entry: dict[str, Any] = {
            "label": neighbour.label,
            "name": classifier.character(neighbour.label).name_in(language),
            "similarity": round(neighbour.similarity, 4),
            "reference": neighbour.reference,
            "taught": neighbour.taught,
        }
        pixels = draw_thumbnail(neighbour.reference) if neighbour.taught else None
        if pixels is not None:
            entry["thumbnail"] = make_data_url(encode_png(pixels))
        nearest.append(entry)
    return {
        "heatmap": make_data_url(encode_heatmap(explanation.heat, fit_size(*size))),
        "method": explanation.method,
        "label": explanation.label,
        "score": round(explanation.score, 4),
        "strength": round(explanation.strength, 4),
        "nearest": nearest,
    }
