"""Whom the model knows at one moment: the characters, their head columns and their references.

`Identities` never change: teaching and forgetting make others. Whoever answers takes one such object
and keeps it until the answer is given, so no answer mixes two moments.

Inside, every character has a *slot*, which the head's columns and the gallery's rows speak of; it keeps
its slot for good. The characters that can be answered are a choice of slots.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count

import numpy as np

from kyara.recognition.answers import merge_scores
from kyara.recognition.bundle import Bundle, Character
from kyara.recognition.comparison import Comparison
from kyara.recognition.gallery import FEW_FACES, Gallery, scale_to_unit
from kyara.recognition.head import score_features
from kyara.recognition.neighbour_index import LIBRARY, MIN_REFERENCES, has_library

HEAD_CANDIDATES = 20
"""Characters that the head alone proposes for a face, beside those that an index proposes."""
MOST_CONTENDERS = 0.25
"""Of all characters: if more may be among the best, comparing all exactly is quicker."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Neighbour:
    """A reference near to a face.

    Attributes:
        label: whom the reference shows.
        similarity: cosine, -1 to 1.
        reference: its name: a path in the dataset, or the id of a taught one; may be empty.
        taught: whether an operator added it.
    """

    label: str
    similarity: float
    reference: str
    taught: bool


@dataclass(frozen=True)
class Enrolment:
    """What was taught of one character.

    Attributes:
        character: with names and works; those left empty are the bundle's, where it knows the label.
        features: `float (N, features)`; N may be 0.
        ids: the name of each reference.
        forgotten: the character is not to be answered at all.
        brought: what packs say of it; it completes what neither the bundle nor an operator says.
    """

    character: Character
    features: np.ndarray
    ids: Sequence[str]
    forgotten: bool = False
    brought: Character | None = None


@dataclass(frozen=True)
class Identities:
    """The known characters.

    Attributes:
        bundle: its head, its calibration, and its own characters.
        characters: whom the model can answer; the columns of the scores.
        slots: `int64 (characters,)`, the slot of each; those of the bundle come first, in its order.
        gallery: its rows are slots.
        left_out: labels of the bundle that do not exist here: taught, they are strangers to the bundle.
        columns: label → column.
    """

    bundle: Bundle
    characters: tuple[Character, ...]
    slots: np.ndarray
    gallery: Gallery
    left_out: frozenset[str] = frozenset()
    columns: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the characters by label."""
        columns = {character.label: column for column, character in enumerate(self.characters)}
        object.__setattr__(self, "columns", columns)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Identities:
        """Return the identities of a bundle that nobody has taught."""
        count = len(bundle.characters)
        gallery = Gallery.empty(count).add(
            bundle.gallery_features, bundle.gallery_rows, bundle.gallery_ids, taught=False
        )
        return cls(bundle, bundle.characters, np.arange(count), gallery)

    def score(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores and similarities of `compare`."""
        compared = self.compare(features)
        return compared.scores, compared.similarities

    def compare(self, features: np.ndarray) -> Comparison:
        """Compare faces with every character.

        Args:
            features: `float32 (N, features)` as the backbone gives them.
        """
        nearest, prototype = self.gallery.compare(features)
        scores = merge_scores(self._score_by_head(features), nearest, prototype, self.bundle.calibration)
        return self._describe(scores, nearest, prototype)

    def compare_best(self, features: np.ndarray, best: int) -> Comparison:
        """Compare faces with every character, and exactly with those who may be among the best.

        The others' scores are a little off, by less than what would make one of them one of the best.

        Args:
            features: `float32 (N, features)` as the backbone gives them.
            best: how many characters of each face are wanted.
        """
        gallery, calibration = self.gallery, self.bundle.calibration
        if gallery.quantised is None or len(features) > FEW_FACES:
            return self.compare(features)
        head = self._score_by_head(features)
        nearest, prototype, bound = gallery.compare_roughly(features)
        scores = merge_scores(head, nearest, prototype, calibration)
        doubts = self._most_doubt * np.float32(bound)
        for face, own in enumerate(scores):
            contenders = self.slots[_find_contenders(own[self._chosen], doubts, best)]
            if len(contenders) > MOST_CONTENDERS * len(self.slots):
                return self.compare(features)
            exact = gallery.narrow(contenders).compare(features[face : face + 1])
            nearest[face, contenders], prototype[face, contenders] = exact[0][0], exact[1][0]
            scores[face, contenders] = merge_scores(
                head[face : face + 1, contenders], *exact, calibration
            )[0]
        return self._describe(scores, nearest, prototype, best)

    def _describe(
        self,
        scores: np.ndarray,
        nearest: np.ndarray,
        prototype: np.ndarray,
        best: int | None = None,
    ) -> Comparison:
        """Return what was measured of all slots as that of the characters."""
        chosen = self._chosen
        return Comparison(self, scores[:, chosen], nearest[:, chosen], prototype[:, chosen], best)

    def _score_by_head(self, features: np.ndarray) -> np.ndarray:
        """Return `float32 (N, slots)`, NaN where a character has no column of the head."""
        bundle = self.bundle
        head = np.full((len(features), self.gallery.classes), np.nan, np.float32)
        head[:, bundle.head_rows] = score_features(features, bundle.head_weight, bundle.head_bias)
        return head

    @cached_property
    def _most_doubt(self) -> np.ndarray:
        """By how much each character's score is off at most if cosines are by 1; see `merge_scores`.

        `float32 (characters,)`, in logits.
        """
        calibration = self.bundle.calibration
        weight, spread = calibration.gallery_weight, self.gallery.spread[self._chosen]
        of_references = weight + np.where(self.headed, 0, (1 - weight) * spread)
        return (abs(calibration.similarity_scale) * of_references).astype(np.float32)

    @cached_property
    def _chosen(self) -> np.ndarray | slice:
        """The slots; all, if that is what they are, which copies nothing."""
        return slice(None) if np.array_equal(self.slots, np.arange(self.gallery.classes)) else self.slots

    def indexed(self, index_from: int | None) -> Identities:
        """Return the identities with an index of their references, if there are so many.

        Otherwise, and if the library that an index takes is missing, which the log says, a gated
        bundle has its references in eight bits as well, for `compare_best`.

        Args:
            index_from: references from which on there is one, at least `MIN_REFERENCES`; None: never.
        """
        count = len(self.gallery.rows)
        many = index_from is not None and count >= max(index_from, MIN_REFERENCES)
        if many and self.bundle.task == "single":
            if has_library():
                logger.info("Building the index of %d references.", count)
                return replace(self, gallery=self.gallery.with_index())
            logger.warning("%s", describe_missing_library(count))
        gallery = self.gallery.with_quantised() if _may_be_quantised(self.bundle) else self.gallery
        return self if gallery is self.gallery else replace(self, gallery=gallery)

    def narrow(self, features: np.ndarray) -> Identities:
        """Return only those who may be among the best answers to a face: all, without an index.

        The others are not compared. What is left is scored exactly; it is not for teaching.

        Args:
            features: `float32 (features,)`.
        """
        bundle, gallery = self.bundle, self.gallery
        if gallery.index is None:
            return self
        logits = score_features(features[None], bundle.head_weight, bundle.head_bias)[0]
        best = np.argsort(-logits, kind="stable")[:HEAD_CANDIDATES]
        return self._keep(np.union1d(gallery.propose(features), bundle.head_rows[best]))

    def _keep(self, slots: np.ndarray) -> Identities:
        """Return the identities of some slots (ascending), numbered anew; others are left out."""
        columns = np.searchsorted(self.slots, slots)
        columns = columns[self.slots[np.minimum(columns, len(self.slots) - 1)] == slots]
        kept, bundle = self.slots[columns], self.bundle
        heads = np.flatnonzero(np.isin(bundle.head_rows, kept))
        narrowed = replace(
            bundle,
            head_weight=bundle.head_weight[:, heads],
            head_bias=bundle.head_bias[heads],
            head_rows=np.searchsorted(kept, bundle.head_rows[heads]),
        )
        return replace(
            self,
            bundle=narrowed,
            characters=tuple(self.characters[column] for column in columns.tolist()),
            slots=np.arange(len(kept)),
            gallery=self.gallery.narrow(kept),
        )

    def find_neighbours(
        self, features: np.ndarray, label: str | None = None, most: int = 3
    ) -> list[Neighbour]:
        """Return the references nearest to one face, the nearest first.

        Args:
            features: `float32 (features,)`.
            label: look at this character's references only.
            most: at most so many.

        Raises:
            KeyError: the label is not known.
        """
        gallery = self.gallery
        if gallery.index is not None:
            near = (
                self.narrow(features) if label is None else self._keep(self.slots[[self.columns[label]]])
            )
            return near.find_neighbours(features, label, most)
        wanted = np.zeros(gallery.classes, bool)
        wanted[self.slots if label is None else self.slots[self.columns[label]]] = True
        positions = np.flatnonzero(wanted[gallery.rows])
        cosines = gallery.measure_cosines(features[None])[0, positions]
        best = np.argsort(-cosines, kind="stable")[:most]
        columns = np.searchsorted(self.slots, gallery.rows[positions[best]])
        return [
            Neighbour(
                label=self.characters[column].label,
                similarity=float(cosine),
                reference=gallery.ids[position],
                taught=bool(gallery.taught[position]),
            )
            for column, position, cosine in zip(columns, positions[best], cosines[best], strict=True)
        ]

    @cached_property
    def references(self) -> np.ndarray:
        """How many references each character has: `int64 (characters,)`."""
        return np.bincount(self.gallery.rows, minlength=self.gallery.classes)[self.slots]

    @cached_property
    def headed(self) -> np.ndarray:
        """Which characters have a column of the head: `bool (characters,)`."""
        return np.isin(self.slots, self.bundle.head_rows)

    @property
    def taught(self) -> dict[str, list[str]]:
        """The ids of the references that were taught: label → ids."""
        gallery = self.gallery
        references: dict[str, list[str]] = {}
        for position in np.flatnonzero(gallery.taught):
            column = int(np.searchsorted(self.slots, gallery.rows[position]))
            references.setdefault(self.characters[column].label, []).append(gallery.ids[position])
        return references

    def count_references(self) -> dict[str, int]:
        """Count the references of each character: label → count."""
        return dict(zip(self.columns, self.references.tolist(), strict=True))

    def learn(self, enrolments: Sequence[Enrolment]) -> Identities:
        """Return the identities after enrolments; each replaces all that was taught of its label before.

        An enrolment without references takes back what was taught: the bundle's own character stays,
        as the bundle has it, unless the enrolment says that it is forgotten.
        """
        own = {
            character.label: slot
            for slot, character in enumerate(self.bundle.characters)
            if character.label not in self.left_out
        }
        labels = {enrolment.character.label for enrolment in enrolments}
        members = {slot: known for slot, known in self._members().items() if known.label not in labels}
        gallery = self.gallery
        gallery = gallery.remove(gallery.taught & ~np.isin(gallery.rows, list(members)))
        free = (slot for slot in count(len(self.bundle.characters)) if slot not in members)
        features, rows, ids = [], [], []
        for enrolment in enrolments:
            label = enrolment.character.label
            if enrolment.forgotten or (label not in own and not len(enrolment.ids)):
                continue
            slot = own[label] if label in own else next(free)
            members[slot] = self._complete(enrolment, own)
            features.append(enrolment.features)
            rows += [slot] * len(enrolment.ids)
            ids += enrolment.ids
        if rows:
            new = np.array(rows, np.int64)
            gallery = gallery.add(
                np.concatenate(features), new, ids, taught=True, classes=int(new.max()) + 1
            )
        return self._with(members, gallery)

    def _complete(self, enrolment: Enrolment, own: Mapping[str, int]) -> Character:
        """Fill in what the bundle's character with the same label has, then what packs say."""
        character = enrolment.character
        if character.label in own:
            character = character.completed_by(self.bundle.characters[own[character.label]])
        return character.completed_by(enrolment.brought) if enrolment.brought else character

    def add_references(self, references: Mapping[str, np.ndarray]) -> Identities:
        """Return the identities with more references: label → `float32 (N, features)`."""
        gallery, enrolments = self.gallery, []
        for label, features in references.items():
            character, old = Character(label, {}, {}), np.zeros(0, np.int64)
            if label in self.columns:
                column = self.columns[label]
                character = self.characters[column]
                old = np.flatnonzero(gallery.taught & (gallery.rows == self.slots[column]))
            both = np.concatenate([gallery.take(old), scale_to_unit(features)]) if len(old) else features
            ids = [*(gallery.ids[position] for position in old), *[""] * len(features)]
            enrolments.append(Enrolment(character, both, ids))
        return self.learn(enrolments)

    def without(self, labels: Collection[str]) -> Identities:
        """Return the identities in which some characters do not exist."""
        gone = [slot for slot, character in self._members().items() if character.label in labels]
        gallery = self.gallery.remove(np.isin(self.gallery.rows, gone))
        members = {slot: known for slot, known in self._members().items() if slot not in gone}
        return replace(self._with(members, gallery), left_out=self.left_out | set(labels))

    def without_gallery(self) -> Identities:
        """Return the identities without references; only characters with a head column are left."""
        columns = set(self.bundle.head_rows.tolist())
        members = {slot: known for slot, known in self._members().items() if slot in columns}
        return self._with(members, Gallery.empty(self.gallery.classes))

    def _members(self) -> dict[int, Character]:
        return dict(zip(self.slots.tolist(), self.characters, strict=True))

    def _with(self, members: Mapping[int, Character], gallery: Gallery) -> Identities:
        slots = np.array(sorted(members), np.int64)
        characters = tuple(members[slot] for slot in slots.tolist())
        return replace(self, characters=characters, slots=slots, gallery=gallery)


def _may_be_quantised(bundle: Bundle) -> bool:
    """Tell whether rough scores of all but the best change no answer: a gate looks at these alone."""
    return bundle.task == "single" and bool(bundle.calibration.gate)


def _find_contenders(scores: np.ndarray, doubts: np.ndarray, best: int) -> np.ndarray:
    """Return the columns that may be among the best: `int64`, ascending.

    Args:
        scores: `float32 (characters,)`.
        doubts: `float32 (characters,)`, by how much each score may be off.
        best: how many are wanted.
    """
    if len(scores) <= best:
        return np.arange(len(scores))
    least = np.partition(scores - doubts, len(scores) - best)[len(scores) - best]
    return np.flatnonzero(scores + doubts >= least)


def describe_missing_library(references: int) -> str:
    """Return the sentence on a gallery that would be indexed if the library were installed."""
    return (
        f"{references:,} references are compared one by one with every face, because {LIBRARY} is "
        'missing: pip install "kyara[scale]".'
    )
