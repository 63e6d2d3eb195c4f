"""A model of several labels: the tiny network with a head of its own, and faces to ask it about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from drawings import draw_face
from PIL import Image

from classification import Classifier
from kyara.dataset.tagged import read_tagged
from kyara.recognition.bundle import Calibration, Character


def write_tagged_faces(folder: Path) -> Path:
    """Write drawn faces with the labels red (the first character), marked (the first two) and nobody."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(4)
    rows = ["Id,Names,Red Hair,Marked,Nobody,split"]
    for number in range(24):
        character = number % 4
        draw_face(character, rng).save(folder / "images" / f"p{number}.png")
        labels = f"{int(character == 0)},{int(character < 2)},0"
        rows.append(f'p{number},"[x, y]",{labels},{"train" if number < 12 else "test"}')
    (folder / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def make_tagger(classifier: Classifier, folder: Path) -> Classifier:
    """Return the tiny network with three labels, whose columns are means of the training pictures."""
    data = read_tagged(folder).of_split("train")
    features = classifier.backbone.extract(np.asarray(Image.open(path)) for path in data.paths)
    centred = features - features.mean(axis=0)
    weight = np.stack(
        [centred[own].mean(axis=0) if own.any() else 0 * centred[0] for own in data.truth.T], 1
    )
    scores = centred @ weight
    # every label's threshold lies between the pictures that have it and the others
    edges = [
        (scores[own, n].min() + scores[~own, n].max()) / 2 if own.any() else 1.0
        for n, own in enumerate(data.truth.T)
    ]
    bundle = replace(
        classifier.bundle,
        characters=tuple(
            Character(label, {"en": name}, {})
            for label, name in zip(data.labels, data.names, strict=True)
        ),
        calibration=Calibration(label_thresholds=(0.5, 0.5, 0.5)),
        head_weight=weight.astype(np.float32),
        head_bias=(-features.mean(axis=0) @ weight - np.array(edges)).astype(np.float32),
        head_rows=np.arange(3),
        gallery_features=np.zeros((0, weight.shape[0]), np.float32),
        gallery_rows=np.zeros(0, np.int64),
        gallery_ids=(),
        provenance={},
        task="multi",
    )
    return Classifier(bundle)
