"""Classifier: crops in, answers out. The site, the command line and the evaluation all go through it.

from classification import Classifier
from kyara.images import read_image

classifier = Classifier()
for face in classifier.identify([read_image(Path("face.png"))]):
    print(face.verdict, face.answers[0].label, face.answers[0].confidence)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kyara.answers import FaceAnswers, choose_answers
from kyara.backbone import Backbone
from kyara.bundle import Bundle, Character, load_bundle
from kyara.gallery import compare_with_gallery
from kyara.head import score_features
from kyara.registry import find_serving


class Classifier:
    """A loaded model. It may be called from several threads; calls to the network take turns."""

    def __init__(self, bundle: Bundle | Path | None = None, *, threads: int | None = None) -> None:
        """Load a model.

        Args:
            bundle: a bundle or its folder; by default the one that `model/registry.json` serves.
            threads: CPU threads for the network; by default those the process may use, up to 4.

        Raises:
            BundleError: no such model, or it is damaged.
        """
        if not isinstance(bundle, Bundle):
            bundle = load_bundle(bundle or find_serving())
        self.bundle = bundle
        self.backbone = Backbone(bundle.backbone, bundle.preprocessing, threads=threads)
        self._characters = {character.label: character for character in bundle.characters}

    def character(self, label: str) -> Character:
        """Return a known character.

        Raises:
            KeyError: the model does not know the label.
        """
        return self._characters[label]

    def describe(self, face: FaceAnswers, language: str) -> dict[str, Any]:
        """Return a face's answers as JSON has them, with names and works in a language."""
        answers = []
        for answer in face.answers:
            similarity = None if answer.similarity is None else round(answer.similarity, 4)
            entry = self.character(answer.label).to_json(language)
            answers.append(
                {**entry, "confidence": round(answer.confidence, 4), "similarity": similarity}
            )
        return {"verdict": face.verdict, "answers": answers}

    def identify(self, crops: Iterable[np.ndarray], *, top_k: int = 5) -> list[FaceAnswers]:
        """Answer who is in each crop.

        Args:
            crops: `uint8 (H, W, 3)` sRGB each; a generator is read one crop at a time.
            top_k: answers a crop, at least 1.

        Returns:
            One entry a crop, in order.
        """
        return self.answer(self.backbone.extract(crops), top_k=top_k)

    def answer(self, features: np.ndarray, *, top_k: int = 5) -> list[FaceAnswers]:
        """Turn features into answers: everything after the network.

        Args:
            features: `float32 (N, features)` as `backbone.extract` returns them.
            top_k: answers a face, at least 1.
        """
        scores, similarities = self.score(features)
        return choose_answers(scores, similarities, self.bundle.labels, self.bundle.calibration, top_k)

    def score(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the raw `float32 (N, classes)` scores and similarities behind the answers."""
        bundle = self.bundle
        scores = score_features(features, bundle.head_weight, bundle.head_bias)
        similarities = compare_with_gallery(
            features, bundle.gallery_features, bundle.gallery_rows, len(bundle.characters)
        )
        return scores, similarities
