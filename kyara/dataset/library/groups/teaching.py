"""A group's faces → references of a character, which is answered from then on; and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Engine, select

from kyara.dataset.library.answering import read_embeddings
from kyara.dataset.library.groups.cutting import cut_crops, find_faces_by_id
from kyara.dataset.library.tables import OPERATOR, FaceRow
from kyara.errors import NotFoundError
from kyara.recognition.characters import Character
from kyara.recognition.classifier import Classifier
from kyara.recognition.enrolment import KEPT_CROP_PX, Lesson
from kyara.recognition.gallery import choose_references, scale_to_unit
from kyara.vision.images import shrink_pixels

MOST_TAUGHT = 40
"""Faces of a group that become references; those that together stand for all of it best."""


@dataclass
class Taught:
    """What became of teaching a group.

    Attributes:
        references: ids of the references that were made.
        faces: how many of its faces were to be taught.
        unread: how many of them were left out: their pictures are gone, or have changed.
    """

    references: list[str] = field(default_factory=list)
    faces: int = 0
    unread: int = 0


def teach_group(engine: Engine, classifier: Classifier, group: int, character: Character) -> Taught:
    """Make references of a character from the faces of a group that this network has seen.

    Their embeddings are those of the library; nothing is looked at again. The crops are kept, as those
    of every lesson.

    Args:
        engine: the library's.
        classifier: that keeps what it is taught.
        group: without its parts.
        character: names and works count where the model has none.

    Raises:
        KyaraError: as `Classifier.teach`.
    """
    faces, unit = _choose_faces(engine, group, classifier.backbone.fingerprint)
    taught = Taught(faces=len(faces))
    placed = find_faces_by_id(engine, faces)
    rows = {face: row for row, face in enumerate(faces)}
    crops, kept = [], []
    for face, crop in cut_crops(placed, classifier.bundle.preprocessing):
        if crop is None:
            taught.unread += 1
            continue
        crop = shrink_pixels(crop, KEPT_CROP_PX)
        if not _is_known(classifier, character.label, crop):
            crops.append(crop)
            kept.append(rows[face.id])
    texts = {}
    if character.label not in classifier.labels:
        texts = {"name": character.name, "work": character.work}
    for part in Lesson(crops, unit[kept]).split():
        classifier.teach(character.label, part, **texts)
    found = (classifier.find_taught(character.label, crop) for crop in crops)
    taught.references = [reference for reference in found if reference is not None]
    return taught


def forget_references(classifier: Classifier, label: str, references: Sequence[str]) -> None:
    """Take references back; those that are gone already are passed over."""
    for reference in references:
        try:
            classifier.forget(label, reference)
        except NotFoundError:
            continue


def _is_known(classifier: Classifier, label: str, crop: np.ndarray) -> bool:
    """Tell whether somebody taught this very crop: it is not ours to take back."""
    return label in classifier.taught and classifier.find_taught(label, crop) is not None


def _choose_faces(engine: Engine, group: int, network: str) -> tuple[list[int], np.ndarray]:
    """Return the faces of a group that are taught, and their embeddings of unit length."""
    query = select(FaceRow.id, FaceRow.embedding)
    query = query.where(FaceRow.face_group == group, FaceRow.answered_by == OPERATOR)
    with engine.connect() as connection:
        rows = connection.execute(query.where(FaceRow.network == network).order_by(FaceRow.id)).all()
    if not rows:
        return [], np.zeros((0, 1), np.float32)
    unit = scale_to_unit(read_embeddings([row.embedding for row in rows]).astype(np.float32))
    chosen = choose_references(unit, min(MOST_TAUGHT, len(rows)))
    return [rows[place].id for place in chosen.tolist()], unit[chosen]
