"""How a collected face stands: the journal's verdicts as labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from kyara.dataset.review import steps
from kyara.dataset.review.journal import Action
from kyara.dataset.review.steps import Review, Verdict
from kyara.dataset.review.tables import ReviewRow, ReviewState
from kyara.recognition.characters import NOT_A_FACE


@dataclass(frozen=True)
class FaceState:
    """What the journal says of one face now.

    Attributes:
        face: its id.
        label: of the character, `NOT_A_FACE`, or None while it has no label.
        version: the id of the last step that touched it; empty where none has.
        operator: who made that step; empty where none was made.
        at: when, UTC; None where none was made.
    """

    face: str
    label: str | None = None
    version: str = ""
    operator: str = ""
    at: datetime | None = None


@dataclass
class LabelRecovery:
    """What a start found: ids of faces whose files it moved, and of those that have no file."""

    moved: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def choose_verdict(label: str | None) -> tuple[Verdict, Action]:
    """Return how a face with a label stands, and the decision that makes it so."""
    if label is None:
        return Verdict(ReviewState.PENDING), Action.REOPEN
    if label == NOT_A_FACE:
        return Verdict(ReviewState.REJECTED, NOT_A_FACE), Action.NOT_A_FACE
    return Verdict(ReviewState.ACCEPTED, label), Action.CORRECT


def is_seen(state: FaceState, version: str | None) -> bool:
    """Tell whether a face is as an operator saw it; who saw nothing may label what has no label."""
    return state.label is None if version is None else state.version == version


def describe_face(last: Review) -> FaceState:
    """Return what the last review of a face makes of it."""
    return FaceState(last.item, last.after.label, last.step, last.operator, last.at)


def list_labels(session: Session, face: str) -> set[str]:
    """Return every label that a face ever had: where its file may be."""
    reviews = steps.list_reviews(session, ReviewRow.item == face)
    labels = {verdict.label for review in reviews for verdict in (review.before, review.after)}
    return {label for label in labels if label is not None}
