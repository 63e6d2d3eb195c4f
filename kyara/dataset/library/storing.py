"""What workers found → rows of the library, with who it is: a shard of pictures a commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, select, tuple_

from kyara.dataset.library.answering import Answerer
from kyara.dataset.library.comparing import SeenBy, Tally
from kyara.dataset.library.parts import Part, is_within
from kyara.dataset.library.sources import find_source, relate_path
from kyara.dataset.library.tables import EMBEDDING, PictureRow
from kyara.dataset.library.writing import keep_decided, put_faces, put_picture, read_decided
from kyara.recognition.embeddings import read_pictures
from kyara.storage.clock import tell_time
from kyara.storage.parallel import Record, Work


class ShardWriter:
    """Writes what workers found, a shard a commit."""

    def __init__(
        self,
        engine: Engine,
        parts: list[Part],
        answerer: Answerer,
        seen_by: SeenBy,
        tally: Tally,
        fail: Callable[[str, str], None],
    ) -> None:
        """Take where it is written.

        Args:
            engine: the library's.
            parts: what was walked through: every file is below one of their roots.
            answerer: says who it is.
            seen_by: what looked at the pictures.
            tally: where pictures and seconds are counted.
            fail: called with the path of a file that cannot be read, and why.
        """
        self._engine, self._answerer, self._seen_by = engine, answerer, seen_by
        self._tally, self._fail = tally, fail
        self._roots = sorted({(part.folder, part.root) for part in parts}, key=lambda one: -len(one[0]))

    def write(self, work: Work, number: int) -> None:
        """Answer who is in the pictures of a shard, and write it all."""
        since = time.perf_counter()
        found = [
            (name, entry, faces)
            for name, entry, faces in map(self._read, read_pictures(work, number))
            if "gone" not in entry
        ]
        dimension = self._answerer.bundle.head_weight.shape[0]
        embeddings = [faces.reshape(-1, dimension) for _, _, faces in found]
        answers = self._answerer.answer(
            np.concatenate([*embeddings, np.zeros((0, dimension), EMBEDDING)])
        )
        answered = time.perf_counter()
        self._tally.add_seconds("answer", answered - since)
        with self._engine.begin() as connection:
            places = [self._place(name) for name, _, _ in found]
            numbers = self._find_numbers(connection, places)
            rest = iter(answers)
            for place, (_, entry, _), rows in zip(places, found, embeddings, strict=True):
                own = [next(rest) for _ in rows]
                self._put(connection, place, entry, rows, own, numbers)
            self._answerer.note_characters(connection, answers)
        self._tally.add_seconds("write", time.perf_counter() - answered)

    def _read(self, part: tuple[str, Record | None, str]) -> tuple[str, dict[str, Any], np.ndarray]:
        name, record, error = part
        entry = dict(record.entry) if record else _describe_lost(name, error)
        for stage, seconds in entry.get("seconds", {}).items():
            self._tally.add_seconds(stage, seconds)
        self._tally.looked += 1
        if said := entry.get("error"):
            self._tally.failed += 1
            self._fail(name, said)
        return name, entry, np.frombuffer(record.data if record else b"", EMBEDDING)

    def _place(self, name: str) -> tuple[int, str]:
        """Return the root of a file, and its path below it."""
        for folder, root in self._roots:
            if is_within(name, folder):
                return root, relate_path(name, folder)
        raise ValueError(f"{name!r} is in no root.")

    @staticmethod
    def _find_numbers(
        connection: Connection, places: list[tuple[int, str]]
    ) -> dict[tuple[int, str], int]:
        query = select(PictureRow.root, PictureRow.path, PictureRow.id)
        rows = connection.execute(query.where(tuple_(PictureRow.root, PictureRow.path).in_(places)))
        return {(row.root, row.path): row.id for row in rows}

    def _put(
        self,
        connection: Connection,
        place: tuple[int, str],
        entry: dict[str, Any],
        embeddings: np.ndarray,
        answers: list[dict[str, Any]],
        numbers: dict[tuple[int, str], int],
    ) -> None:
        picture = {name: entry[name] for name in ("size", "mtime_ns", "sha256")}
        picture |= {"width": entry.get("width", 0), "height": entry.get("height", 0)}
        picture |= {"error": entry.get("error"), "missing_since": None, "next_sha256": None}
        picture |= {"seen_by": self._seen_by.note(entry.get("error")), "scanned_at": tell_time()}
        known = numbers.get(place)
        decided = [] if known is None else read_decided(connection, known, entry["sha256"])
        number = put_picture(connection, *place, picture, known)
        found = zip(entry.get("boxes", ()), entry.get("scores", ()), embeddings, answers, strict=True)
        faces = []
        for (x, y, width, height), score, embedding, answer in found:
            face = {"x": x, "y": y, "width": width, "height": height, "score": score}
            face |= {"embedding": embedding.tobytes(), "network": self._answerer.network}
            faces.append({**face, **answer})
        keep_decided(faces, decided)
        put_faces(connection, number, faces)


def _describe_lost(name: str, error: str) -> dict[str, Any]:
    """Return the record of a picture on which workers fail; it is not tried again until it changes."""
    try:
        found = find_source(name).stat(name)
    except OSError:
        return {"gone": True}
    stat = {"size": found.size, "mtime_ns": found.mtime_ns, "sha256": ""}
    return {**stat, "error": error.encode("utf-8", "backslashreplace").decode()}
