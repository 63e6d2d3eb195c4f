"""Embeddings → who it is; anew where another model answers, or where it was taught something."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from kyara.dataset.library.tables import EMBEDDING, OPERATOR, CharacterRow, FaceRow
from kyara.recognition.answers import FaceAnswers
from kyara.recognition.backbone import fingerprint_network
from kyara.recognition.bundle import Bundle, load_bundle
from kyara.recognition.characters import Character
from kyara.recognition.classifier import Classifier
from kyara.recognition.enrolment_store import TaughtStore
from kyara.registry import find_serving, find_taught
from kyara.storage.paging import read_pages

FACES_AT_ONCE = 512
"""Faces that are answered anew in one commit."""


@dataclass(frozen=True)
class Answerer:
    """Who answers: a model, and what it was taught. The network is loaded when it is first needed.

    Attributes:
        bundle: the model.
        taught: where taught characters are kept, as `Classifier` takes it; None: nowhere.
        loaded: the model with what it was taught, where it is in memory already.
    """

    bundle: Bundle
    taught: Path | str | None = None
    loaded: Classifier | None = None

    @cached_property
    def network(self) -> str:
        """Fingerprint of the network: what its embeddings are good for."""
        if self.loaded is not None:
            return self.loaded.backbone.fingerprint
        bundle = self.bundle
        return fingerprint_network(bundle.backbone.read_bytes(), bundle.preprocessing, bundle.colourless)

    @cached_property
    def fingerprint(self) -> str:
        """Of what decides answers beside the embedding: the bundle's version, and what was taught.

        Raises:
            KyaraError: what was taught cannot be read.
        """
        if not self.taught:
            return self.bundle.version
        store = TaughtStore(self.taught)
        try:
            changes = store.read_changes(0, self.network)
        finally:
            store.close()
        taught = [] if changes is None else changes.characters
        if not taught:
            return self.bundle.version
        told = []
        for one in taught:
            texts = dict(one.character.name), dict(one.character.work)
            told.append([one.character.label, *texts, one.forgotten, list(one.references)])
        digest = hashlib.sha256(json.dumps(sorted(told, key=lambda row: row[0])).encode())
        return f"{self.bundle.version}-{digest.hexdigest()[:16]}"

    @cached_property
    def classifier(self) -> Classifier:
        """The model of one moment: what is taught meanwhile, the next scan will see."""
        _ = self.fingerprint  # before: if it is older than the answers, they are made again
        return (self.loaded or Classifier(self.bundle, taught=self.taught)).frozen()

    def answer(self, embeddings: np.ndarray) -> list[dict[str, Any]]:
        """Return what a face's row says of who it is.

        Args:
            embeddings: `float16 (N, features)`, of `network`.
        """
        if not len(embeddings):
            return []
        faces = self.classifier.answer(embeddings.astype(np.float32), top_k=1)
        return [{**_describe(face), "answered_by": self.fingerprint} for face in faces]

    def note_characters(self, connection: Connection, answers: Iterable[dict[str, Any]]) -> None:
        """Write down what people read for everybody who is named in answers."""
        labels = {answer["label"] for answer in answers if answer["label"] is not None}
        if not labels:
            return
        named = [self.classifier.character(label) for label in sorted(labels)]
        connection.execute(delete(CharacterRow).where(CharacterRow.label.in_(labels)))
        connection.execute(insert(CharacterRow), [_describe_character(one) for one in named])


def choose_answerer(model: Path | None) -> Answerer:
    """Return the model in a folder; without one the model that serves, with what it was taught."""
    if model is not None:
        return Answerer(load_bundle(model))
    return Answerer(load_bundle(find_serving()), find_taught())


def _describe(face: FaceAnswers) -> dict[str, Any]:
    best = face.answers[0] if face.answers else None
    return {
        "label": best.label if best and face.verdict != "unknown" else None,
        "confidence": best.confidence if best else 0.0,
        "status": face.verdict,
    }


def _describe_character(character: Character) -> dict[str, Any]:
    return {"label": character.label, "name": dict(character.name), "work": dict(character.work)}


def read_embeddings(rows: Sequence[bytes]) -> np.ndarray:
    """Return embeddings as rows keep them: `float16 (N, features)`."""
    return np.stack([np.frombuffer(row, EMBEDDING) for row in rows])


def count_outdated(engine: Engine, answerer: Answerer) -> int:
    """Count the faces that another model, or one that had been taught other things, has answered."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).where(*_is_outdated(answerer))) or 0


def answer_anew(engine: Engine, answerer: Answerer) -> Iterator[int]:
    """Answer the outdated faces again, by their embeddings: no picture is opened.

    Yields:
        How many were answered, after each commit.
    """
    outdated = select(FaceRow.id, FaceRow.embedding).where(*_is_outdated(answerer))
    for rows in read_pages(engine, outdated, FaceRow.id, FACES_AT_ONCE):
        answers = answerer.answer(read_embeddings([row.embedding for row in rows]))
        changed = [{"face": row.id, **answer} for row, answer in zip(rows, answers, strict=True)]
        with engine.begin() as connection:
            connection.execute(
                update(FaceRow).where(FaceRow.id == bindparam("face")),
                changed,
                execution_options={"synchronize_session": False},
            )
            answerer.note_characters(connection, answers)
        yield len(rows)


def _is_outdated(answerer: Answerer) -> tuple[Any, Any]:
    """Return the conditions that a face is to be answered again; what a person said stands."""
    answered = answerer.fingerprint, OPERATOR
    return FaceRow.network == answerer.network, FaceRow.answered_by.not_in(answered)
