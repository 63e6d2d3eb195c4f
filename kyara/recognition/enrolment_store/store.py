"""The store of what operators taught, shared by every process that serves or teaches.

It holds the taught characters, each with its reference crops and their features for every backbone that
has seen them, and the labels that are to be forgotten. Rows of `characters` are never deleted, and each
carries the number of its last change, so a process finds what it has missed by one comparison.

Every change is one transaction, written through to the disk: a kill leaves all of it or nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, and_, delete, func, make_url, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError

from kyara.errors import BadInputError, NotFoundError
from kyara.recognition.characters import Character
from kyara.recognition.enrolment_store.place import Look, Place, TaughtFile, TaughtServer
from kyara.recognition.enrolment_store.tables import characters, crops, features
from kyara.vision.images import decode_image, encode_png, hash_pixels

_VECTOR = np.dtype("<f2")
_ID = re.compile("[1-9][0-9]{0,8}")


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
        anew: the database is another one than before, or gone: what was known of the old one is void.
    """

    characters: tuple[TaughtCharacter, ...]
    moment: int
    anew: bool


class TaughtStore:
    """Taught characters in a file or a database.

    Attributes:
        place: the file, or the URL of the database.
    """

    def __init__(self, place: Path | str) -> None:
        """Take the place; nothing is opened yet, and an SQLite file is made by the first lesson.

        Args:
            place: an SQLite file, or a URL of SQLAlchemy.

        Raises:
            BadInputError: it is a URL of neither SQLite nor PostgreSQL.
        """
        self.place = place
        self._place = open_place(place)

    def read_changes(self, since: int, backbone: str) -> Changes | None:
        """Return what changed, None if nothing did. For one caller at a time.

        Where nothing did it costs some microseconds; on PostgreSQL one small question every half second.

        Args:
            since: the last `Changes.moment`; 0 at first.
            backbone: fingerprint of the backbone whose features are wanted.

        Raises:
            KyaraError: the database cannot be read.
        """
        with self._place.explain("read"):
            look = self._place.look()
            if look == Look.SAME:
                return None
            if look == Look.GONE:
                return Changes((), 0, anew=True)
            with self._place.follow() as connection:
                return _read(connection, since, backbone, anew=look == Look.ANEW)

    def wake(self) -> None:
        """Have the next `read_changes` ask at once: somebody says that something was taught."""
        self._place.wake()

    def close(self) -> None:
        """Close the database; the next call opens it again."""
        self._place.close()

    def teach(
        self, character: Character, pictures: Sequence[np.ndarray], vectors: np.ndarray, backbone: str
    ) -> int:
        """Keep crops of a character; a forgotten one comes back. A crop that it has is not kept twice.

        Args:
            character: names and works are added to those that are stored.
            pictures: `uint8 (H, W, 3)` each, the crops.
            vectors: `float (N, features)`, unit length, the features of these crops.
            backbone: fingerprint of the backbone that made them.

        Returns:
            How many crops of the character are kept now.

        Raises:
            StorageFullError: no room; nothing was changed. Otherwise as `read_changes`.
        """
        label, now = character.label, datetime.now(UTC).isoformat(timespec="seconds")
        kept = [(hash_pixels(picture), encode_png(picture)) for picture in pictures]
        with self._place.change() as connection:
            _put_character(connection, character)
            for (sha256, png), vector in zip(kept, vectors.astype(_VECTOR), strict=True):
                crop = {"label": label, "sha256": sha256, "png": png, "created_at": now}
                connection.execute(_insert(connection, crops).values(crop).on_conflict_do_nothing())
                number = connection.scalar(
                    select(crops.c.id).where(crops.c.label == label, crops.c.sha256 == sha256)
                )
                seen = {"crop": number, "backbone": backbone, "vector": vector.tobytes()}
                connection.execute(_insert(connection, features).values(seen).on_conflict_do_nothing())
            return _count_crops(connection, label)

    def forget(self, label: str, *, hide: bool) -> None:
        """Delete everything that was taught of a label.

        Args:
            label: of a taught character, or of one that a bundle knows.
            hide: the bundle's own character is not to be answered either.
        """
        with self._place.change(erase=True) as connection:
            connection.execute(delete(crops).where(crops.c.label == label))
            _write_character(connection, label, {}, {}, forgotten=hide)

    def forget_reference(self, label: str, reference: str) -> int:
        """Delete one kept crop.

        Returns:
            How many crops of the character are kept now.

        Raises:
            NotFoundError: the character has no such crop.
        """
        missing = NotFoundError(f"Nobody taught a reference {ascii(reference)[:40]} of {label}.")
        if not _ID.fullmatch(reference) or not self._place.exists():
            raise missing
        mine = and_(crops.c.label == label, crops.c.id == int(reference))
        with self._place.change(erase=True) as connection:
            if not connection.execute(delete(crops).where(mine)).rowcount:
                raise missing
            touch = update(characters).where(characters.c.label == label)
            connection.execute(touch.values(changed=_next_change()))
            return _count_crops(connection, label)

    def keep_features(self, backbone: str, vectors: Mapping[int, np.ndarray]) -> None:
        """Keep what a backbone made of kept crops: id → `float16 (features,)`."""
        with self._place.change() as connection:
            there = select(crops.c.id).where(crops.c.id.in_(list(vectors))).order_by(crops.c.id)
            for crop in connection.scalars(there).all():
                vector = vectors[crop].astype(_VECTOR).tobytes()
                insert = _insert(connection, features)
                insert = insert.values(crop=crop, backbone=backbone, vector=vector)
                connection.execute(
                    insert.on_conflict_do_update(
                        index_elements=["crop", "backbone"], set_={"vector": insert.excluded.vector}
                    )
                )

    def read_crop(self, reference: str) -> np.ndarray | None:
        """Return a kept crop, `uint8 (H, W, 3)`; None if there is none of that id."""
        if not _ID.fullmatch(reference) or not self._place.exists():
            return None
        with self._place.explain("read"), self._place.read() as connection:
            png = connection.scalar(select(crops.c.png).where(crops.c.id == int(reference)))
        return decode_image(png, formats=("PNG",)) if png else None


def open_place(place: Path | str) -> Place:
    """Return the place that a file or a URL names.

    Raises:
        BadInputError: it is a URL of neither SQLite nor PostgreSQL.
    """
    if isinstance(place, Path):
        return TaughtFile(place)
    try:
        url = make_url(place)
    except ArgumentError as error:
        raise BadInputError(f"{ascii(place)[:80]} is not the URL of a database: {error}.") from error
    if url.get_backend_name() == "sqlite" and url.database:
        return TaughtFile(Path(url.database))
    return TaughtServer(place)


def _read(connection: Connection, since: int, backbone: str, *, anew: bool) -> Changes | None:
    moment = connection.scalar(select(func.coalesce(func.max(characters.c.changed), 0))) or 0
    anew = anew or moment < since  # an older copy was put in its place
    if anew:
        since = 0
    elif moment == since:
        return None
    changed = characters.c.changed > since
    rows = connection.execute(select(characters).where(changed).order_by(characters.c.changed)).all()
    references: dict[str, dict[int, np.ndarray | None]] = {row.label: {} for row in rows}
    labels = select(characters.c.label).where(changed)
    seen = and_(features.c.crop == crops.c.id, features.c.backbone == backbone)
    query = select(crops.c.label, crops.c.id, features.c.vector).select_from(
        crops.outerjoin(features, seen)
    )
    for label, crop, vector in connection.execute(query.where(crops.c.label.in_(labels))):
        references[label][crop] = None if vector is None else np.frombuffer(vector, _VECTOR)
    taught = tuple(
        TaughtCharacter(
            Character(row.label, json.loads(row.name), json.loads(row.work)),
            bool(row.forgotten),
            dict(sorted(references[row.label].items())),
        )
        for row in rows
    )
    return Changes(taught, moment, anew)


def _put_character(connection: Connection, character: Character) -> None:
    """Write down a character that is to be answered; names and works are added to those stored."""
    stored = select(characters.c.name, characters.c.work).where(characters.c.label == character.label)
    known = connection.execute(stored).first()
    old_name, old_work = map(json.loads, known) if known else ({}, {})
    name, work = {**old_name, **character.name}, {**old_work, **character.work}
    _write_character(connection, character.label, name, work, forgotten=False)


def _write_character(
    connection: Connection,
    label: str,
    name: Mapping[str, str],
    work: Mapping[str, str],
    *,
    forgotten: bool,
) -> None:
    insert = _insert(connection, characters).values(
        label=label,
        name=json.dumps(name, ensure_ascii=False),
        work=json.dumps(work, ensure_ascii=False),
        forgotten=int(forgotten),
        changed=_next_change(),
    )
    new = {name: insert.excluded[name] for name in ("name", "work", "forgotten", "changed")}
    connection.execute(insert.on_conflict_do_update(index_elements=["label"], set_=new))


def _next_change() -> Any:
    """Return the number of a change that is being made; nobody else can change anything meanwhile."""
    return select(func.coalesce(func.max(characters.c.changed), 0) + 1).scalar_subquery()


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def _count_crops(connection: Connection, label: str) -> int:
    return connection.scalar(select(func.count()).where(crops.c.label == label)) or 0
