"""Whom a group may show, too: characters that are known, and other groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Engine

from kyara.dataset.library.groups.reading import Forest, State, read_means, tell_state
from kyara.recognition.answers import Answer
from kyara.recognition.classifier import Classifier
from kyara.recognition.ranking import find_alike_from

MOST_SUGGESTED = 3
LEAST_CONFIDENCE = 0.05
"""Of a character that is suggested; below it is nothing but noise."""
SUGGESTED_SHARE = 0.99
"""Of pairs of strangers, those that are less alike than groups that are worth a look side by side."""


@dataclass(frozen=True)
class NearGroup:
    """A group that may show the same character.

    Attributes:
        id: its number.
        label: None: nobody has said.
        similarity: average cosine of the faces of both.
    """

    id: int
    label: str | None
    similarity: float


@dataclass(frozen=True)
class Suggestions:
    """What a group is asked about: "is this also …?".

    Attributes:
        characters: the likeliest first.
        groups: the nearest first.
    """

    characters: tuple[Answer, ...] = ()
    groups: tuple[NearGroup, ...] = ()


def suggest(engine: Engine, classifier: Classifier, groups: Sequence[int]) -> dict[int, Suggestions]:
    """Return what each group may be, by the mean of its faces: group → suggestions.

    Args:
        engine: the library's.
        classifier: ranks characters, those that were taught from other groups among them.
        groups: that stand for themselves.
    """
    with engine.connect() as connection:
        forest = Forest.read(connection)
    least = find_alike_from(classifier.bundle, SUGGESTED_SHARE) or 0.0
    network = classifier.backbone.fingerprint
    means = read_means(engine, forest, forest.roots, network)
    asked = [group for group in groups if group in means]
    if not asked:
        return {}
    answers = classifier.answer(np.stack([means[group] for group in asked]), top_k=MOST_SUGGESTED)
    numbers = np.array(list(means))
    all_means = np.stack(list(means.values()))
    found = {}
    for group, face in zip(asked, answers, strict=True):
        likely = tuple(one for one in face.answers if one.confidence >= LEAST_CONFIDENCE)
        cosines = all_means @ means[group]
        near = []
        for place in np.argsort(-cosines)[: MOST_SUGGESTED + 1].tolist():
            other, cosine = int(numbers[place]), float(cosines[place])
            label = forest.rows[other][0]
            if other != group and cosine >= least and tell_state(label) != State.NOT_A_FACE:
                near.append(NearGroup(other, label, cosine))
        found[group] = Suggestions(likely, tuple(near[:MOST_SUGGESTED]))
    return found
