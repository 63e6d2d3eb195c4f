"""Classifier: crops in, answers out. The site, the command line and the evaluation all go through it.

from kyara import Classifier, read_image

classifier = Classifier()
for face in classifier.identify([read_image(Path("face.png"))]):
    print(face.verdict, face.answers[0].label, face.answers[0].confidence)

classifier.teach("my_character", [read_image(Path("one.png")), read_image(Path("two.png"))])
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BadInputError
from kyara.recognition.answers import FaceAnswers
from kyara.recognition.backbone import load_backbone
from kyara.recognition.bundle import Bundle, Character, View, load_bundle
from kyara.recognition.comparison import Comparison
from kyara.recognition.enrolment import Lesson, LiveIdentities
from kyara.recognition.enrolment_store import TaughtStore
from kyara.recognition.identities import Identities, Neighbour

CROPS_AT_ONCE = 8
"""So many crops are held until it is clear which of them are looked at again."""


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
        index_from: int | None = None,
    ) -> None:
        """Load a model.

        Args:
            bundle: a bundle or its folder; see `registry.serving` for the one that serves.
            threads: CPU threads for the network; by default those the process may use, up to 4.
            taught: where taught characters are kept: a file, which need not exist yet, or the URL of a
                database; by default nothing is.
            index_from: references from which on an index proposes the characters that are compared, for
                who answers many questions; None: everybody is always compared, and no index is built.

        Raises:
            BundleError: no such model, or it is damaged.
        """
        if not isinstance(bundle, Bundle):
            bundle = load_bundle(bundle)
        self.bundle = bundle
        self.backbone = load_backbone(bundle, threads=threads)
        self._live: LiveIdentities | None = None
        if taught:
            self._live = LiveIdentities(bundle, self.backbone, TaughtStore(taught), index_from)
            self._fixed = self._live.now()
        else:
            self._fixed = Identities.of_bundle(bundle).indexed(index_from)

    @property
    def _identities(self) -> Identities:
        return self._live.now() if self._live else self._fixed

    @property
    def characters(self) -> tuple[Character, ...]:
        """Who can be answered: the columns of the scores."""
        return self._identities.characters

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(character.label for character in self.characters)

    @property
    def columns(self) -> Mapping[str, int]:
        """Where each label is among the columns of the scores."""
        return self._identities.columns

    @property
    def taught(self) -> dict[str, list[str]]:
        """The ids of the references that were taught: label → ids."""
        return self._identities.taught

    @property
    def references(self) -> np.ndarray:
        """How many references each of `characters` has: `int64 (characters,)`."""
        return self._identities.references

    def count_references(self) -> dict[str, int]:
        """Count the references of each character, taught ones and the bundle's: label → count."""
        return self._identities.count_references()

    @property
    def forgotten(self) -> list[str]:
        """Labels of the model's own characters that are not answered."""
        known = self._identities.columns
        return [label for label in self.bundle.labels if label not in known]

    def character(self, label: str) -> Character:
        """Return a known character.

        Raises:
            KeyError: the model does not know the label.
        """
        identities = self._identities
        return identities.characters[identities.columns[label]]

    def describe(self, face: FaceAnswers, language: str) -> dict[str, Any]:
        """Return a face's answers as JSON has them, with names and works in a language."""
        answers = [
            {
                **answer.character.to_json(language),
                "url": answer.character.page_url,
                "confidence": round(answer.confidence, 4),
                "similarity": None if answer.similarity is None else round(answer.similarity, 4),
            }
            for answer in face.answers
        ]
        return {"verdict": face.verdict, "answers": answers}

    def identify(self, crops: Iterable[np.ndarray], *, top_k: int = 5) -> list[FaceAnswers]:
        """Answer who is in each crop.

        Args:
            crops: `uint8 (H, W, 3)` sRGB each; a generator is read one crop at a time.
            top_k: answers a crop, at least 1.

        Returns:
            One entry a crop, in order.
        """
        view = self.frozen()  # what settles a face and what names it are of one moment
        features, compared = view._look(crops, top_k)
        return _choose(compared or view.compare_each(features, top_k), top_k)

    def look(self, crops: Iterable[np.ndarray]) -> np.ndarray:
        """Turn crops into features; the later views count only where the first ones leave it unsure.

        Args:
            crops: as `identify` takes them.

        Returns:
            `float32 (N, features)`.
        """
        return self.frozen()._look(crops)[0]

    def _look(
        self, crops: Iterable[np.ndarray], best: int = 1
    ) -> tuple[np.ndarray, list[Comparison] | None]:
        """Return features, and how they compare with the best, if settling them has told."""
        if not self._looks_again:
            return self.backbone.extract(crops), None
        rows, compared, source = [self.backbone.extract([])], None, iter(crops)
        while len((seen := self._look_at_next(source, best))[0]):
            features, compared = seen
            rows.append(features)
        return np.concatenate(rows), compared if len(rows) == 2 else None

    def _look_at_next(
        self, source: Iterator[np.ndarray], best: int
    ) -> tuple[np.ndarray, list[Comparison] | None]:
        """Take crops from a source, and look at them; other views count only for those that are unsure.

        Cores that would have nothing to do show the first of them in all views before that is known.
        """
        shown, count = self.bundle.preprocessing.views, self.bundle.preprocessing.first_views
        crops: list[np.ndarray] = []

        def begin() -> Iterator[tuple[np.ndarray, View]]:
            for crop in islice(source, CROPS_AT_ONCE):
                crops.append(crop)
                yield from ((crop, view) for view in shown[:count])
            if self._identities.gallery.index:  # a comparison more for each costs more than it saves
                return
            spare = self.backbone.count_spare(len(crops) * count) // (len(shown) - count)
            yield from ((crop, view) for crop in crops[:spare] for view in shown[count:])

        seen = list(self.backbone.see(begin()))
        first = self._stack(seen[: len(crops) * count], count)
        rest = self._stack(seen[len(crops) * count :], len(shown) - count)
        every = np.concatenate([first[: len(rest)], rest], axis=1).mean(axis=1)
        both = np.concatenate([first.mean(axis=1), every])
        compared = self.compare_each(both, best)
        unsure = np.flatnonzero(~_find_settled(compared)[: len(crops)])
        rows = np.arange(len(crops))
        rows[unsure[unsure < len(rest)]] += len(crops)
        features, late = both[rows], unsure[unsure >= len(rest)]
        if not len(late):
            return features, _take(compared, rows)
        rest = self.backbone.extract_each((crops[place] for place in late), slice(count, None))
        features[late] = np.concatenate([first[late], rest], axis=1).mean(axis=1)
        return features, None

    def _stack(self, rows: list[np.ndarray], views: int) -> np.ndarray:
        """Return `float32 (N, views, features)` of so many times N rows."""
        return np.array(rows, np.float32).reshape(-1, views, self.backbone.dimension)

    @property
    def _looks_again(self) -> bool:
        """Whether there are views that count for unsure faces alone."""
        return 0 < self.bundle.preprocessing.first_views < len(self.bundle.preprocessing.views)

    def settle(self, each: np.ndarray) -> np.ndarray:
        """Return the features that `look` would give, of faces that were seen in every view.

        Args:
            each: `float32 (N, views, features)` as `backbone.extract_each` returns them.

        Returns:
            `float32 (N, features)`.
        """
        if not self._looks_again:
            return each.mean(axis=1)
        view = self.frozen()
        features = each[:, : self.bundle.preprocessing.first_views].mean(axis=1)
        settled = _find_settled(view.compare_each(features, 1))
        return np.where(settled[:, None], features, each.mean(axis=1))

    def answer(self, features: np.ndarray, *, top_k: int = 5) -> list[FaceAnswers]:
        """Turn features into answers: everything after the network.

        Args:
            features: `float32 (N, features)` as `backbone.extract` returns them.
            top_k: answers a face, at least 1.
        """
        return _choose(self.compare_each(features, top_k), top_k)

    def compare_each(self, features: np.ndarray, best: int) -> list[Comparison]:
        """Compare faces with those who may be answered: all characters, or those that an index proposes.

        Args:
            features: `float32 (N, features)` as `backbone.extract` returns them.
            best: how many characters of each face are wanted; see `Identities.compare_best`.

        Returns:
            One comparison of all faces; with an index one a face, with characters of its own.
        """
        known = self._identities
        if known.gallery.index is None:
            return [known.compare_best(features, max(best, 2))]  # how far the second is behind counts
        return [known.narrow(one).compare(one[None]) for one in features]

    def compare(self, features: np.ndarray) -> Comparison:
        """Compare faces with everybody, whether there is an index or not.

        Args:
            features: `float32 (N, features)` as `backbone.extract` returns them.
        """
        return self._identities.compare(features)

    def score(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores and similarities of `compare`."""
        return self._identities.score(features)

    def nearest(self, features: np.ndarray, label: str | None = None, count: int = 3) -> list[Neighbour]:
        """Return the references that are nearest to one face, the nearest first.

        Args:
            features: `float32 (features,)`, one row of what `backbone.extract` returns.
            label: look at this character's references only.
            count: at most so many.

        Raises:
            KeyError: the model does not know the label.
        """
        return self._identities.find_neighbours(features, label, count)

    def teach(
        self,
        label: str,
        crops: Iterable[np.ndarray] | Lesson,
        name: Mapping[str, str] | None = None,
        work: Mapping[str, str] | None = None,
    ) -> int:
        """Teach a character from 1 to 20 crops; it is answered from then on, by every process.

        A label that the model knows gets more references; one that was forgotten comes back.

        Args:
            label: ASCII id, such as `hatsune_miku` or `vocaloid/hatsune_miku`.
            crops: `uint8 (H, W, 3)` sRGB each, a face and its hair; or a lesson, whose crops this
                model's backbone has looked at already.
            name: language code → what people read; by default a new character is named after its label.
            work: language code → the series.

        Returns:
            How many taught references the character has now.

        Raises:
            BadInputError: no such label, name or number of crops, or a classifier that keeps nothing.
            StorageFullError: no room; nothing was changed.
        """
        return self.find_live().teach(label, crops, name, work)

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
        return self.find_live().forget(label, reference)

    def find_taught(self, label: str, crop: np.ndarray) -> str | None:
        """Return the id of the taught reference that was made of this very crop; None if there is none.

        Args:
            label: of the character.
            crop: `uint8 (H, W, 3)` sRGB, as it was taught.
        """
        return self.find_live().find_taught(label, crop)

    def wake(self) -> None:
        """Look for what others taught at the next call, however short ago the last look was."""
        if self._live:
            self._live.store.wake()

    def draw_thumbnail(self, reference: str) -> np.ndarray | None:
        """Return a picture of a taught reference, `uint8 (H, W, 3)`, at most 160 px; None if none."""
        return self._live.draw_thumbnail(reference) if self._live else None

    def find_live(self) -> LiveIdentities:
        """Return what keeps the identities in step with the store of taught characters.

        Raises:
            BadInputError: this classifier keeps nothing.
        """
        if self._live is None:
            raise BadInputError("This classifier keeps nothing: make it with Classifier(taught=FILE).")
        return self._live

    def frozen(self) -> Classifier:
        """Return a view of this moment."""
        return self._view(self._identities)

    def without(self, labels: Collection[str]) -> Classifier:
        """Return a view in which some characters do not exist."""
        return self._view(self._identities.without(labels))

    def without_gallery(self) -> Classifier:
        """Return a view without references; characters that have nothing else do not exist in it."""
        return self._view(self._identities.without_gallery())

    def teaching(self, references: Mapping[str, np.ndarray]) -> Classifier:
        """Return a view with more references; nothing is written.

        Args:
            references: label → `float (N, features)` of any length, as `backbone.extract` gives them.
        """
        return self._view(self._identities.add_references(references))

    def _view(self, identities: Identities) -> Classifier:
        view = copy(self)
        view._live, view._fixed = None, identities
        return view


def _find_settled(compared: list[Comparison]) -> np.ndarray:
    """Tell of which faces the first views say enough: `bool (N,)`."""
    return np.concatenate([np.zeros(0, bool), *(some.find_settled() for some in compared)])


def _take(compared: list[Comparison], rows: np.ndarray) -> list[Comparison]:
    """Return the comparisons of some faces."""
    if len(compared) == 1:
        return [compared[0].take(rows)]
    return [compared[row] for row in rows.tolist()]


def _choose(compared: list[Comparison], top_k: int) -> list[FaceAnswers]:
    return [face for some in compared for face in some.choose(top_k)]
