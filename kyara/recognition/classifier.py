"""Classifier: crops in, answers out. The site, the command line and the evaluation all go through it.

from kyara import Classifier, read_image

classifier = Classifier()
for face in classifier.identify([read_image(Path("face.png"))]):
    print(face.verdict, face.answers[0].label, face.answers[0].confidence)

classifier.teach("my_character", [read_image(Path("one.png")), read_image(Path("two.png"))])
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BadInputError
from kyara.recognition.answers import FaceAnswers, choose_answers
from kyara.recognition.backbone import load_backbone
from kyara.recognition.bundle import Bundle, Character, load_bundle
from kyara.recognition.enrolment import LiveRoster
from kyara.recognition.enrolment_store import TaughtStore
from kyara.recognition.identities import Neighbour, Roster
from kyara.vision.boxes import FoundFace, Window
from kyara.vision.images import cut_window


class Classifier:
    """A loaded model. It may be called from several threads; calls to the network take turns.

    With a store of taught characters every call sees what any process has taught so far; each answer is
    of one moment. `frozen`, `without`, `without_gallery` and `teaching` give views that stay as they
    are, for calls that must agree with each other; views share the loaded network.
    """

    def __init__(
        self,
        bundle: Bundle | Path,
        *,
        threads: int | None = None,
        taught: Path | str | None = None,
    ) -> None:
        """Load a model.

        Args:
            bundle: a bundle or its folder; see `registry.serving` for the one that serves.
            threads: CPU threads for the network; by default those the process may use, up to 4.
            taught: where taught characters are kept: a file, which need not exist yet, or the URL of a
                database; by default nothing is.

        Raises:
            BundleError: no such model, or it is damaged.
        """
        if not isinstance(bundle, Bundle):
            bundle = load_bundle(bundle)
        self.bundle = bundle
        self.backbone = load_backbone(bundle, threads=threads)
        self._live = LiveRoster(bundle, self.backbone, TaughtStore(taught)) if taught else None
        self._fixed = Roster.of_bundle(bundle)

    @property
    def _roster(self) -> Roster:
        return self._live.now() if self._live else self._fixed

    @property
    def characters(self) -> tuple[Character, ...]:
        """Who can be answered: the columns of the scores."""
        return self._roster.characters

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of `characters`."""
        return tuple(character.label for character in self.characters)

    @property
    def taught(self) -> dict[str, list[str]]:
        """The ids of the references that were taught: label → ids."""
        return self._roster.taught

    def count_references(self) -> dict[str, int]:
        """Count the references of each character, taught ones and the bundle's: label → count."""
        return self._roster.count_references()

    @property
    def forgotten(self) -> list[str]:
        """Labels of the model's own characters that are not answered."""
        known = self._roster.columns
        return [label for label in self.bundle.labels if label not in known]

    def character(self, label: str) -> Character:
        """Return a known character.

        Raises:
            KeyError: the model does not know the label.
        """
        roster = self._roster
        return roster.characters[roster.columns[label]]

    def describe(self, face: FaceAnswers, language: str) -> dict[str, Any]:
        """Return a face's answers as JSON has them, with names and works in a language."""
        answers = []
        for answer in face.answers:
            similarity = None if answer.similarity is None else round(answer.similarity, 4)
            entry = answer.character.to_json(language)
            answers.append(
                {**entry, "confidence": round(answer.confidence, 4), "similarity": similarity}
            )
        return {"verdict": face.verdict, "answers": answers}

    def find_seen(self, pixels: np.ndarray, face: FoundFace, box_scale: float) -> Window:
        """Return the part of a picture that the model wants to see of a face.

        Args:
            pixels: `uint8 (H, W, 3)` of the whole picture.
            face: as a detector gives it.
            box_scale: of that detector.
        """
        height, width = pixels.shape[:2]
        return self.bundle.preprocessing.find_window(face, box_scale, width, height)

    def cut(self, pixels: np.ndarray, face: FoundFace, box_scale: float) -> np.ndarray:
        """Cut that part out: `uint8 (h, w, 3)`."""
        return cut_window(pixels, self.find_seen(pixels, face, box_scale))

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
        roster, bundle = self._roster, self.bundle
        scores, similarities = roster.score(features)
        return choose_answers(
            scores, similarities, roster.characters, bundle.calibration, top_k, task=bundle.task
        )

    def score(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the raw scores and similarities behind the answers.

        Args:
            features: `float32 (N, features)` as `backbone.extract` returns them.

        Returns:
            Two `float32 (N, characters)`: logits, and the highest cosine to a reference of each
            character, NaN where it has none.
        """
        return self._roster.score(features)

    def nearest(self, features: np.ndarray, label: str | None = None, count: int = 3) -> list[Neighbour]:
        """Return the references that are nearest to one face, the nearest first.

        Args:
            features: `float32 (features,)`, one row of what `backbone.extract` returns.
            label: look at this character's references only.
            count: at most so many.

        Raises:
            KeyError: the model does not know the label.
        """
        return self._roster.find_neighbours(features, label, count)

    def teach(
        self,
        label: str,
        crops: Iterable[np.ndarray],
        name: Mapping[str, str] | None = None,
        work: Mapping[str, str] | None = None,
    ) -> int:
        """Teach a character from 1 to 20 crops; it is answered from then on, by every process.

        A label that the model knows gets more references; one that was forgotten comes back.

        Args:
            label: ASCII id, such as `hatsune_miku` or `vocaloid/hatsune_miku`.
            crops: `uint8 (H, W, 3)` sRGB each, a face and its hair.
            name: language code → what people read; by default a new character is named after its label.
            work: language code → the series.

        Returns:
            How many taught references the character has now.

        Raises:
            BadInputError: no such label, name or number of crops, or a classifier that keeps nothing.
            StorageFullError: no room; nothing was changed.
        """
        return self._find_live().teach(label, crops, name, work)

    def forget(self, label: str, reference: str | None = None) -> int:
        """Take a character back: what was taught of it is deleted, and the model's own is not answered.

        Args:
            label: of a known character.
            reference: only this taught reference; a taught character goes with its last one.

        Returns:
            How many taught references the character has now.

        Raises:
            NotFoundError: no such character, or no such taught reference.
        """
        return self._find_live().forget(label, reference)

    def wake(self) -> None:
        """Look for what others taught at the next call, however short ago the last look was."""
        if self._live:
            self._live.store.wake()

    def draw_thumbnail(self, reference: str) -> np.ndarray | None:
        """Return a picture of a taught reference, `uint8 (H, W, 3)`, at most 160 px; None if none."""
        return self._live.draw_thumbnail(reference) if self._live else None

    def _find_live(self) -> LiveRoster:
        if self._live is None:
            raise BadInputError("This classifier keeps nothing: make it with Classifier(taught=FILE).")
        return self._live

    def frozen(self) -> Classifier:
        """Return a view of this moment."""
        return self._view(self._roster)

    def without(self, labels: Collection[str]) -> Classifier:
        """Return a view in which some characters do not exist."""
        return self._view(self._roster.without(labels))

    def without_gallery(self) -> Classifier:
        """Return a view without references; characters that have nothing else do not exist in it."""
        return self._view(self._roster.without_gallery())

    def teaching(self, references: Mapping[str, np.ndarray]) -> Classifier:
        """Return a view with more references; nothing is written.

        Args:
            references: label → `float (N, features)` of any length, as `backbone.extract` gives them.
        """
        return self._view(self._roster.add_references(references))

    def _view(self, roster: Roster) -> Classifier:
        view = copy(self)
        view._live, view._fixed = None, roster
        return view
