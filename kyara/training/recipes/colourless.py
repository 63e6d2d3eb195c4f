"""The recipe `colourless`: beside the network of a bundle, a layer for drawings without colours.

Faces are shown in greys and as a screentone prints them; a small layer learns to make of their features
those that the same faces have in colours, and to keep characters apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from anyascii import anyascii

from kyara.dataset.manifest import Manifest, read_face
from kyara.errors import BadInputError
from kyara.recognition.backbone import Backbone, load_backbone, prepare_crop
from kyara.recognition.bundle import Bundle, Preprocessing
from kyara.recognition.bundle_parts import UNIT_TOLERANCE
from kyara.recognition.colourless import (
    BLUR_SHARE,
    ColourlessLayer,
    is_colourless,
    show_without_colours,
)
from kyara.recognition.embeddings import cut_face, keep_array
from kyara.recognition.gallery import scale_to_unit
from kyara.training.plan import ColourlessPlan
from kyara.vision.alterations import drain_colours, print_screentone
from kyara.vision.boxes import Box

DOTS_A_SIDE = (18, 50)
"""Of a screentone, along a crop's longer side; drawn anew for each face."""
TOWARDS_COLOURS = 3.0
"""What the cosine to the features in colours weighs beside the loss that tells characters apart."""
NOISE = 0.01


def train_colourless(
    bundle: Bundle,
    manifest: Manifest,
    plan: ColourlessPlan,
    boxes: Sequence[Box | None],
    cache: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> Bundle:
    """Return a bundle with a layer for drawings without colours.

    Its references that have no colours are made again with it, where their names tell their pictures in
    the dataset; all else stays.

    Args:
        bundle: names one character a face; a layer that it has already is left out.
        manifest: of the split `train`, faces of characters whom the bundle knows are shown.
        plan: how the layer is trained.
        boxes: the tight face in each of the manifest's pictures; None: the picture is the crop.
        cache: folder for features; a kill costs none that were finished.
        progress: called with 1 after each of the manifest's faces.

    Raises:
        BadInputError: the bundle gives independent labels or has features that are not of unit length,
            there are no faces in colours to learn from, or a file is not a readable picture.
    """
    if bundle.task != "single":
        raise BadInputError(f"{bundle.name} gives independent labels; this layer is for characters.")
    backbone = load_backbone(replace(bundle, colourless=None))
    preprocessing = bundle.preprocessing
    rows = {label: row for row, label in enumerate(bundle.labels)}
    references = set(zip(bundle.gallery_rows.tolist(), bundle.gallery_ids, strict=True))
    grey: dict[tuple[int, str], np.ndarray] = {}
    seen, right, aims = [], [], []
    for face, box in zip(manifest.faces, boxes, strict=True):
        progress(1)
        if (row := rows.get(face.label)) is None:
            continue
        name = row, anyascii(manifest.locate(face).as_posix())
        learns = face.split == "train"
        if not learns and name not in references:
            continue
        crop = np.ascontiguousarray(cut_face(read_face(face), box, preprocessing))
        if any(is_colourless(view, preprocessing.scale) for view in prepare_crop(crop, preprocessing)):
            if name in references:
                grey[name] = crop
        elif learns:
            colours, pairs = _look(backbone, crop, cache)
            seen.append(pairs)
            aims.append(scale_to_unit(colours.mean(axis=0)[None]).repeat(len(pairs), axis=0))
            right += [row] * len(pairs)
    if not seen:
        raise BadInputError("The data has no face in colours of anybody whom the model knows.")
    lengths = np.linalg.norm(seen[0], axis=1) / np.sqrt(2)
    if not (np.abs(lengths - 1) < UNIT_TOLERANCE).all():
        raise BadInputError(f"The features of {bundle.name} are not of unit length.")
    layer = fit_layer(
        np.concatenate(seen), np.concatenate(aims), np.array(right), _find_means(bundle), plan
    )
    return _see_again(replace(bundle, colourless=layer), grey)


def _look(backbone: Backbone, crop: np.ndarray, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return what the network says of a crop.

    Returns:
        `float32 (views, F)` in colours; `float32 (2 views, 2 F)`, sharp and blurred side by side, in
        greys and then with the dots of a screentone.
    """
    digest = hashlib.sha256(f"{crop.shape}".encode() + crop.tobytes()).hexdigest()
    made_with = "-".join(f"{value:g}" for value in (*DOTS_A_SIDE, BLUR_SHARE))
    kept = cache / f"{backbone.fingerprint}-colourless-{made_with}" / f"{digest}.npy"
    count = len(backbone.preprocessing.views)
    if kept.exists():
        features = np.load(kept, allow_pickle=False)
    else:
        features = np.stack(list(backbone.extract_views(_show(crop, backbone.preprocessing, digest))))
        kept.parent.mkdir(parents=True, exist_ok=True)
        keep_array(kept, features)
    return features[:count], features[count:].reshape(2 * count, -1)


def _show(crop: np.ndarray, preprocessing: Preprocessing, digest: str) -> Iterator[np.ndarray]:
    yield from prepare_crop(crop, preprocessing)
    rng = np.random.default_rng(int(digest[:8], 16))
    period_px = max(crop.shape[:2]) / rng.uniform(*DOTS_A_SIDE)
    for altered in (drain_colours(crop), print_screentone(crop, period_px, rng.uniform(0, np.pi))):
        for view in prepare_crop(altered, preprocessing):
            yield from show_without_colours(view, preprocessing.scale)


def fit_layer(
    seen: np.ndarray, aims: np.ndarray, right: np.ndarray, means: np.ndarray, plan: ColourlessPlan
) -> ColourlessLayer:
    """Learn to make features in colours of features without.

    Args:
        seen: `float32 (N, 2 F)`, sharp and blurred side by side.
        aims: `float32 (N, F)`, of the same faces in colours, unit length.
        right: `int64 (N,)`, row of each face's character.
        means: `float32 (characters, F)`, unit length, what characters are told apart by.
        plan: how.

    Source: CosFace, Wang et al. 2018, https://arxiv.org/abs/1801.09414; it starts from the ridge
    regression of `aims` on `seen`
    """
    import keras

    keras.utils.set_random_seed(plan.seed)
    length, start = aims.shape[1], seen.astype(np.float64)
    linear = np.linalg.solve(start.T @ start + np.eye(2 * length), start.T @ aims)
    given = keras.Input((2 * length,))
    noisy = keras.layers.GaussianNoise(NOISE)(given)
    straight = keras.layers.Dense(length, use_bias=False, name="linear")
    bend = keras.layers.Dense(plan.hidden, activation="relu", name="hidden")
    add = keras.layers.Dense(length, use_bias=False, kernel_initializer="zeros", name="out")
    made = keras.layers.Add()([straight(noisy), add(bend(noisy))])
    model = keras.Model(given, keras.layers.UnitNormalization()(made))
    straight.set_weights([linear.astype(np.float32)])
    steps = -(-len(seen) // plan.batch) * plan.epochs
    rate: Any = keras.optimizers.schedules.CosineDecay(plan.learning_rate, max(steps, 1))
    model.compile(keras.optimizers.AdamW(rate, weight_decay=plan.weight_decay), _make_loss(means, plan))
    counts = np.bincount(right)
    weights = counts[right] ** -0.5
    truth = np.concatenate([aims, right[:, None].astype(np.float32)], axis=1)
    model.fit(
        seen,
        truth,
        batch_size=plan.batch,
        epochs=plan.epochs,
        sample_weight=weights / weights.mean(),
        verbose="auto",
    )
    (hidden, bias), (out,) = bend.get_weights(), add.get_weights()
    return ColourlessLayer(straight.get_weights()[0], hidden, bias, out)


def _make_loss(means: np.ndarray, plan: ColourlessPlan) -> Callable[[Any, Any], Any]:
    import keras

    ops: Any = keras.ops  # its own types say that every result may be None
    targets = ops.transpose(ops.convert_to_tensor(means))

    def loss(truth: Any, made: Any) -> Any:
        aims, right = truth[:, :-1], ops.cast(truth[:, -1], "int32")
        hits = ops.one_hot(right, len(means))
        logits = plan.scale * (ops.matmul(made, targets) - plan.margin * hits)
        apart = ops.categorical_crossentropy(hits, logits, from_logits=True)
        return apart + TOWARDS_COLOURS * (1 - ops.sum(aims * made, axis=-1))

    return loss


def _find_means(bundle: Bundle) -> np.ndarray:
    """Return the mean of each character's references, or its column of the head: unit length."""
    means = np.zeros((len(bundle.characters), bundle.head_weight.shape[0]), np.float32)
    means[bundle.head_rows] = bundle.head_weight.T
    means[np.unique(bundle.gallery_rows)] = 0
    np.add.at(means, bundle.gallery_rows, bundle.gallery_features)
    return scale_to_unit(means)


def _see_again(bundle: Bundle, grey: dict[tuple[int, str], np.ndarray]) -> Bundle:
    """Return a bundle whose references without colours are those that it makes itself."""
    names = list(zip(bundle.gallery_rows.tolist(), bundle.gallery_ids, strict=True))
    places = [place for place, name in enumerate(names) if name in grey]
    if not places:
        return bundle
    features = bundle.gallery_features.copy()
    again = load_backbone(bundle).extract(grey[names[place]] for place in places)
    features[places] = scale_to_unit(again).astype(np.float16)
    return replace(bundle, gallery_features=features)
