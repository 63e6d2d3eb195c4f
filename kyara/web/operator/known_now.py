"""*Known from now on*: an operator's word becomes references of the gallery, at once and for everybody.

In: reports or collected faces that were just decided about, or pictures. Out: the characters that are
known by them, and sentences for what is not as it should be. What was accepted and is decided otherwise
(undone, corrected, reopened) is a reference no more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from flask import current_app
from flask_babel import gettext as _

from kyara.dataset.review.journal import ReviewJournal
from kyara.dataset.review.steps import Verdict
from kyara.dataset.review.tables import ReviewState
from kyara.errors import KyaraError
from kyara.recognition.characters import NOT_A_FACE
from kyara.recognition.classifier import Classifier
from kyara.recognition.enrolment import Lesson
from kyara.recognition.name_search import KnownNames
from kyara.recognition.ranking import find_alike_from
from kyara.storage.events import TAUGHT
from kyara.web.review import find_names
from kyara.web.serving.model_queue import find_model

MOST_TAUGHT_AT_ONCE = 60
"""Of one character by one decision: the request has to be answered in time, and more helps little."""

ReadPixels = Callable[[str], np.ndarray]
"""Gives an item's crop, `uint8 (H, W, 3)`; raises a KyaraError where it cannot."""


def follow_decision(
    journal: ReviewJournal, items: Collection[str], read_pixels: ReadPixels, *, known: bool
) -> dict[str, list[str]]:
    """Let the gallery follow what was just decided about items of a journal.

    Args:
        journal: that has the decision.
        items: ids.
        read_pixels: gives an item's crop.
        known: whether what is accepted now is to be known from now on.

    Returns:
        `known`: names of the characters that are known by more references now; `told`: sentences for the
        operator. Nothing is raised: the decision stands whatever becomes of the gallery.
    """
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for item, review in journal.find_last_reviews(items).items():
        if review.before == review.after:
            continue
        if label := _find_character(review.before):
            before.setdefault(label, []).append(item)
        if label := _find_character(review.after):
            after.setdefault(label, []).append(item)
    told = [sentence for label, some in before.items() for sentence in _forget(label, some, read_pixels)]
    if not (known and after):
        return {"known": [], "told": told}
    names, everybody = [], find_names()
    for label, some in after.items():
        taught, name = some[:MOST_TAUGHT_AT_ONCE], everybody.say(label)
        try:
            told += teach_crops(label, map(read_pixels, taught), everybody, len(taught))
        except KyaraError as error:
            told.append(_("%(name)s is not known by it yet: %(reason)s", name=name, reason=error))
            continue
        names.append(name)
        if len(taught) < len(some):
            told.append(
                _(
                    "Of %(total)s faces of %(name)s %(count)s are known from now on.",
                    total=len(some),
                    name=name,
                    count=len(taught),
                )
            )
    return {"known": names, "told": told}


def teach_crops(label: str, crops: Iterable[np.ndarray], everybody: KnownNames, size: int) -> list[str]:
    """Make crops references of a character.

    Args:
        label: of a character of the model, or of the dataset.
        crops: `uint8 (H, W, 3)` each; they are read when it is their turn.
        everybody: names and works of those whom the model does not know.
        size: how much work they are, in crops.

    Returns:
        Sentences: crops that look like somebody else.

    Raises:
        KyaraError: as `Classifier.teach`; or no model serves, or it is too busy.
    """
    with find_model().place(size) as classifier:
        lesson = Lesson.of(classifier.backbone, crops)
        new = None if label in classifier.labels else everybody.characters.get(label)
        texts = {"name": new.name, "work": new.work} if new else {}
        unlike = count_unlike(classifier, label, lesson.features)
        for part in lesson.split():
            classifier.teach(label, part, **texts)
    current_app.extensions["kyara_events"].publish(TAUGHT)
    return [_say_unlike(everybody.say(label), unlike, len(lesson.crops))] if unlike else []


def _say_unlike(name: str, unlike: int, total: int) -> str:
    if total == 1:
        return _(
            "The face does not look like the others of %(name)s; undo it if it is somebody else.",
            name=name,
        )
    return _(
        "%(count)s of %(total)s faces do not look like the others of %(name)s; undo it if it is "
        "somebody else.",
        count=unlike,
        total=total,
        name=name,
    )


def count_unlike(classifier: Classifier, label: str, unit: np.ndarray) -> int:
    """Count the crops that are no more like the others of their character than strangers are.

    Args:
        classifier: the model.
        label: of the character; its references count, and the other crops.
        unit: `float32 (N, features)` of the crops, of unit length.
    """
    least = find_alike_from(classifier.bundle)
    if least is None:
        return 0
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = cosines.max(axis=1)
    if classifier.count_references().get(label):
        own = [classifier.nearest(one, label, 1)[0].similarity for one in unit]
        nearest = np.maximum(nearest, own)
    return int((np.isfinite(nearest) & (nearest < least)).sum())


def _find_character(verdict: Verdict) -> str | None:
    """Return as whom an item stands accepted, None if as nobody."""
    accepted = verdict.state == ReviewState.ACCEPTED and verdict.label != NOT_A_FACE
    return verdict.label if accepted else None


def _forget(label: str, items: Sequence[str], read_pixels: ReadPixels) -> list[str]:
    """Take back the references that were made of items; nothing where none was."""
    told: list[str] = []
    try:
        classifier = find_model().classifier
        if label not in classifier.taught:
            return []
    except KyaraError as error:
        return [_say_may_be_known(label, error)]
    for item in items:
        try:
            if (reference := classifier.find_taught(label, read_pixels(item))) is not None:
                classifier.forget(label, reference)
        except KyaraError as error:
            told.append(_say_may_be_known(label, error))
    current_app.extensions["kyara_events"].publish(TAUGHT)
    return list(dict.fromkeys(told))


def _say_may_be_known(label: str, error: KyaraError) -> str:
    name = find_names().say(label)
    return _("%(name)s may still be known by it: %(reason)s", name=name, reason=error)
