"""What operators taught, on disk: one SQLite file, shared by every process that serves or teaches.

It holds the taught characters, each with its reference crops and their features for every backbone that
has seen them, and the labels that are to be forgotten. Rows of `characters` are never deleted, and each
carries the number of its last change, so a process finds what it has missed by one comparison.

Every change is one transaction, written through to the disk: a kill leaves all of it or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kyara.character import Character
from kyara.errors import NotFoundError
from kyara.images import decode_image, encode_png
from kyara.taught_file import change_file, explain_errors, has_tables, open_file

_NEXT_CHANGE = "(SELECT coalesce(max(changed), 0) + 1 FROM characters)"
_VECTOR = np.dtype("<f2")


@dataclass(frozen=True)
class TaughtCharacter:
    """What is stored of one label.

    Attributes:
        character: names and works as they were given; what is left out is the bundle's.
        forgotten: it is not to be answered.
        references: id of each kept crop → its features, `float16 (features,)`; None where the backbone
            that was asked about has not seen the crop.
    """

    character: Character
    forgotten: bool
    references: Mapping[int, np.ndarray | None]


@dataclass(frozen=True)
class Changes:
    """What happened since a moment.

    Attributes:
        characters: every label that changed, as it is now.
        moment: to be given the next time.
        anew: the file is another one than before, or gone: what was known of the old one is void.
    """

    characters: tuple[TaughtCharacter, ...]
    moment: int
    anew: bool


class TaughtStore:
    """The file. The first lesson makes it; until then there is nothing to read."""

    def __init__(self, path: Path) -> None:
        """Take the file's place; nothing is opened yet."""
        self.path = path
        self._reader: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._version: int | None = None

    def read_changes(self, since: int, backbone: str) -> Changes | None:
        """Return what changed, None if nothing did. For one caller at a time.

        Where nothing did it costs some microseconds.

        Args:
            since: the last `Changes.moment`; 0 at first.
            backbone: fingerprint of the backbone whose features are wanted.

        Raises:
            KyaraError: the file cannot be read.
        """
        with explain_errors(self.path, "read"):
            anew = self._follow_file()
            if self._reader is None:
                return Changes((), 0, anew=True) if anew else None
            (version,) = self._reader.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return None
            changes = _read(self._reader, 0 if anew else since, backbone, anew=anew)
            self._version = version
            return changes

    def _follow_file(self) -> bool:
        """Open the file if it is there; tell whether it is another one than before."""
        try:
            status = os.stat(self.path)
            file = (status.st_dev, status.st_ino)
        except FileNotFoundError:
            file = None
        if file == self._file:
            return False
        had_one = self._reader is not None
        self.close()
        if file is not None:
            reader = open_file(self.path)
            if not has_tables(reader):  # whoever makes it has not finished
                reader.close()
                return had_one
            self._reader = reader
        self._file = file
        return True

    def close(self) -> None:
        """Close the file; the next call opens it again and reads everything."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._file = self._version = None

    def teach(
        self, character: Character, crops: Sequence[np.ndarray], features: np.ndarray, backbone: str
    ) -> int:
        """Keep crops of a character; a forgotten one comes back. A crop that it has is not kept twice.

        Args:
            character: names and works are added to those that are stored.
            crops: `uint8 (H, W, 3)` each.
            features: `float (N, features)`, unit length, of these crops.
            backbone: fingerprint of the backbone that made them.

        Returns:
            How many crops of the character are kept now.

        Raises:
            StorageFullError: no room; nothing was changed. Otherwise as `read_changes`.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with change_file(self.path) as connection:
            _put_character(connection, character)
            for crop, vector in zip(crops, features.astype(_VECTOR), strict=True):
                key = (character.label, _hash_pixels(crop))
                connection.execute(
                    "INSERT OR IGNORE INTO crops (label, sha256, png, created_at) VALUES (?, ?, ?, ?)",
                    (*key, encode_png(crop), now),
                )
                connection.execute(
                    "INSERT OR IGNORE INTO features (crop, backbone, vector)"
                    " SELECT id, ?, ? FROM crops WHERE label = ? AND sha256 = ?",
                    (backbone, vector.tobytes(), *key),
                )
            return _count_crops(connection, character.label)

    def forget(self, label: str, *, hide: bool) -> None:
        """Delete everything that was taught of a label.

        Args:
            label: of a taught character, or of one that a bundle knows.
            hide: the bundle's own character is not to be answered either.
        """
        with change_file(self.path, erase=True) as connection:
            connection.execute("DELETE FROM crops WHERE label = ?", (label,))
            connection.execute(
                f"INSERT INTO characters VALUES (?, '{{}}', '{{}}', ?, {_NEXT_CHANGE})"
                " ON CONFLICT (label) DO UPDATE SET name = excluded.name, work = excluded.work,"
                " forgotten = excluded.forgotten, changed = excluded.changed",
                (label, hide),
            )

    def forget_reference(self, label: str, reference: str) -> int:
        """Delete one kept crop.

        Returns:
            How many crops of the character are kept now.

        Raises:
            NotFoundError: the character has no such crop.
        """
        missing = NotFoundError(f"Nobody taught a reference {ascii(reference)[:40]} of {label}.")
        if not self.path.exists():
            raise missing
        with change_file(self.path, erase=True) as connection:
            gone = connection.execute(
                "DELETE FROM crops WHERE label = ? AND CAST(id AS TEXT) = ?", (label, reference)
            )
            if not gone.rowcount:
                raise missing
            connection.execute(
                f"UPDATE characters SET changed = {_NEXT_CHANGE} WHERE label = ?", (label,)
            )
            return _count_crops(connection, label)

    def keep_features(self, backbone: str, features: Mapping[int, np.ndarray]) -> None:
        """Keep what a backbone made of kept crops: id → `float16 (features,)`."""
        with change_file(self.path) as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO features (crop, backbone, vector)"
                " SELECT id, ?, ? FROM crops WHERE id = ?",
                [
                    (backbone, vector.astype(_VECTOR).tobytes(), crop)
                    for crop, vector in features.items()
                ],
            )

    def read_crop(self, reference: str) -> np.ndarray | None:
        """Return a kept crop, `uint8 (H, W, 3)`; None if there is none of that id."""
        if not self.path.exists():
            return None
        with explain_errors(self.path, "read"), closing(open_file(self.path)) as connection:
            row = connection.execute(
                "SELECT png FROM crops WHERE CAST(id AS TEXT) = ?", (reference,)
            ).fetchone()
        return decode_image(row[0], formats=("PNG",)) if row else None


def _read(connection: sqlite3.Connection, since: int, backbone: str, *, anew: bool) -> Changes:
    # The plus sign and the cross join keep SQLite from reading all crops to find the few that changed.
    connection.execute("BEGIN")  # so that all three answers are of one moment
    try:
        (moment,) = connection.execute("SELECT coalesce(max(changed), 0) FROM characters").fetchone()
        rows = connection.execute(
            "SELECT label, name, work, forgotten FROM characters WHERE changed > ? ORDER BY +rowid",
            (since,),
        ).fetchall()
        references: dict[str, dict[int, np.ndarray | None]] = {row[0]: {} for row in rows}
        for label, crop, vector in connection.execute(
            "SELECT label, crops.id, vector FROM characters CROSS JOIN crops USING (label)"
            " LEFT JOIN features ON features.crop = crops.id AND features.backbone = ?"
            " WHERE changed > ?",
            (backbone, since),
        ):
            references[label][crop] = None if vector is None else np.frombuffer(vector, _VECTOR)
    finally:
        connection.execute("COMMIT")
    characters = tuple(
        TaughtCharacter(
            Character(label, json.loads(name), json.loads(work)),
            bool(forgotten),
            dict(sorted(references[label].items())),
        )
        for label, name, work, forgotten in rows
    )
    return Changes(characters, moment, anew)


def _put_character(connection: sqlite3.Connection, character: Character) -> None:
    known = connection.execute(
        "SELECT name, work FROM characters WHERE label = ?", (character.label,)
    ).fetchone()
    old_name, old_work = map(json.loads, known) if known else ({}, {})
    texts: list[Any] = [
        json.dumps({**old, **new}, ensure_ascii=False)
        for old, new in ((old_name, character.name), (old_work, character.work))
    ]
    connection.execute(
        f"INSERT INTO characters VALUES (?, ?, ?, 0, {_NEXT_CHANGE})"
        " ON CONFLICT (label) DO UPDATE SET name = excluded.name, work = excluded.work,"
        " forgotten = 0, changed = excluded.changed",
        (character.label, *texts),
    )


def _count_crops(connection: sqlite3.Connection, label: str) -> int:
    (count,) = connection.execute("SELECT count(*) FROM crops WHERE label = ?", (label,)).fetchone()
    return count


def _hash_pixels(pixels: np.ndarray) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
