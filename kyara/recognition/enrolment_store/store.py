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
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, make_url, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError

from kyara.errors import BadInputError, ConflictError, NotFoundError
from kyara.recognition.characters import Character
from kyara.recognition.enrolment_store.backend import Backend, FileBackend, ServerBackend, State
from kyara.recognition.enrolment_store.packs import (
    InstalledPack,
    install,
    list_own,
    list_packs,
    next_change,
    read_brought,
    remove,
)
from kyara.recognition.enrolment_store.tables import (
    characters,
    crops,
    features,
    pack_characters,
    pack_crops,
    packs,
)
from kyara.recognition.packs import VECTOR, Pack
from kyara.storage.clock import stamp_time
from kyara.vision.images import decode_image, encode_png, hash_pixels

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

PACKED = "pack:"
"""The id of a reference that a pack brought begins so: it has no picture, and goes with its pack."""
_ID = re.compile("[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class TaughtCharacter:
    """What is stored of one label.

    Attributes:
        character: names and works as they were given; what is left out is the bundle's.
        forgotten: it is not to be answered.
        references: id of each kept crop → its features, `float16 (features,)`; None where the backbone
            that was asked about has not seen the crop.
        brought: what packs say of it, where nobody else does; None if it is in none.
        packed: ids of the references that packs brought; there are no pictures of them.
    """

    character: Character
    forgotten: bool
    references: Mapping[int, np.ndarray | None]
    brought: Character | None = None
    packed: frozenset[int] = frozenset()


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
        """Take the place; nothing is opened yet, and an SQLite file is made by the first enrolment.

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
            if look == State.SAME:
                return None
            if look == State.GONE:
                return Changes((), 0, anew=True)
            with self._place.follow() as connection:
                return _read(connection, since, backbone, anew=look == State.ANEW)

    def wake(self) -> None:
        """Have the next `read_changes` ask at once: somebody says that something was taught."""
        self._place.wake()

    def close(self) -> None:
        """Close the database; the next call opens it again."""
        self._place.close()

    def teach(
        self,
        character: Character,
        pictures: Sequence[np.ndarray],
        vectors: np.ndarray,
        backbone: str,
        *,
        of_bundle: bool = False,
    ) -> int:
        """Keep crops of a character; a forgotten one comes back. A crop that it has is not kept twice.

        Args:
            character: names and works are added to those that are stored.
            pictures: `uint8 (H, W, 3)` each, the crops.
            vectors: `float (N, features)`, unit length, the features of these crops.
            backbone: fingerprint of the backbone that made them.
            of_bundle: the bundle names the character. Who is not in it, and is named by packs alone,
                keeps the name that they give.

        Returns:
            How many crops of the character are kept now.

        Raises:
            StorageFullError: no room; nothing was changed. Otherwise as `read_changes`.
        """
        label, now = character.label, stamp_time()
        kept = [(hash_pixels(picture), encode_png(picture)) for picture in pictures]
        with self._place.change() as connection:
            _put_character(connection, character, of_bundle=of_bundle)
            for (sha256, png), vector in zip(kept, vectors.astype(VECTOR), strict=True):
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
            connection.execute(delete(pack_characters).where(pack_characters.c.label == label))
            _write_character(connection, label, {}, {}, forgotten=hide)

    def forget_reference(self, label: str, reference: str) -> int:
        """Delete one kept crop.

        Returns:
            How many crops of the character are kept now.

        Raises:
            NotFoundError: the character has no such crop.
            ConflictError: a pack brought it.
        """
        missing = NotFoundError(f"Nobody taught a reference {ascii(reference)[:40]} of {label}.")
        number = reference.removeprefix(PACKED)
        if not _ID.fullmatch(number) or not self._place.exists():
            raise missing
        mine = and_(crops.c.label == label, crops.c.id == int(number))
        with self._place.change(erase=True) as connection:
            if pack := _find_pack(connection, mine):
                raise ConflictError(
                    f"The reference {reference} of {label} came with a pack; `kyara pack remove {pack}` "
                    "takes it away."
                )
            if number != reference:
                raise missing
            if not connection.execute(delete(crops).where(mine)).rowcount:
                raise missing
            touch = update(characters).where(characters.c.label == label)
            connection.execute(touch.values(changed=next_change()))
            return _count_crops(connection, label)

    def count_references(self) -> int:
        """Return how many crops were taught, those of packs included."""
        if not self._place.exists():
            return 0
        with self._place.explain("read"), self._place.read() as connection:
            return connection.scalar(select(func.count()).select_from(crops)) or 0

    def list_packs(self) -> list[InstalledPack]:
        """Return the packs that are installed, in the order in which they were."""
        if not self._place.exists():
            return []
        with self._place.explain("read"), self._place.read() as connection:
            return list_packs(connection)

    def list_own(self, backbone: str) -> list[tuple[Character, np.ndarray]]:
        """Return what was taught here, without what packs brought; see `packs.list_own`."""
        if not self._place.exists():
            return []
        with self._place.explain("read"), self._place.read() as connection:
            return list_own(connection, backbone)

    def install_pack(self, pack: Pack) -> None:
        """Add everything that a pack brings; a forgotten character comes back.

        Raises:
            ConflictError: a pack of this name is installed.
            StorageFullError: no room; nothing was changed.
        """
        with self._place.change() as connection:
            install(connection, pack)

    def remove_pack(self, name: str) -> tuple[int, int]:
        """Take away what a pack brought, and nothing that others taught.

        Returns:
            Of how many characters it takes faces away, and how many faces.

        Raises:
            NotFoundError: no pack of this name is installed.
        """
        with self._place.change(erase=True) as connection:
            return remove(connection, name)

    def keep_features(self, backbone: str, vectors: Mapping[int, np.ndarray]) -> None:
        """Keep what a backbone made of kept crops: id → `float16 (features,)`."""
        with self._place.change() as connection:
            there = select(crops.c.id).where(crops.c.id.in_(list(vectors))).order_by(crops.c.id)
            for crop in connection.scalars(there).all():
                vector = vectors[crop].astype(VECTOR).tobytes()
                insert = _insert(connection, features)
                insert = insert.values(crop=crop, backbone=backbone, vector=vector)
                connection.execute(
                    insert.on_conflict_do_update(
                        index_elements=["crop", "backbone"], set_={"vector": insert.excluded.vector}
                    )
                )

    def find_crop(self, label: str, picture: np.ndarray) -> str | None:
        """Return the id of a character's kept crop with these pixels; None if there is none."""
        if not self._place.exists():
            return None
        same = and_(crops.c.label == label, crops.c.sha256 == hash_pixels(picture))
        with self._place.explain("read"), self._place.read() as connection:
            number = connection.scalar(select(crops.c.id).where(same))
        return None if number is None else str(number)

    def read_crop(self, reference: str) -> np.ndarray | None:
        """Return a kept crop, `uint8 (H, W, 3)`; None if there is none of that id."""
        if not _ID.fullmatch(reference) or not self._place.exists():
            return None
        with self._place.explain("read"), self._place.read() as connection:
            png = connection.scalar(select(crops.c.png).where(crops.c.id == int(reference)))
        return decode_image(png, formats=("PNG",)) if png else None


def open_place(place: Path | str) -> Backend:
    """Return the place that a file or a URL names.

    Raises:
        BadInputError: it is a URL of neither SQLite nor PostgreSQL.
    """
    if isinstance(place, Path):
        return FileBackend(place)
    try:
        url = make_url(place)
    except ArgumentError as error:
        raise BadInputError(f"{ascii(place)[:80]} is not the URL of a database: {error}.") from error
    if url.get_backend_name() == "sqlite" and url.database:
        return FileBackend(Path(url.database))
    return ServerBackend(place)


def _read(connection: Connection, since: int, backbone: str, *, anew: bool) -> Changes | None:
    moment = connection.scalar(select(func.coalesce(func.max(characters.c.changed), 0))) or 0
    anew = anew or moment < since  # an older copy was put in its place
    if anew:
        since = 0
    elif moment == since:
        return None
    changed = characters.c.changed > since
    ordered = select(characters).where(changed).order_by(characters.c.changed, characters.c.label)
    rows = connection.execute(ordered).all()
    references: dict[str, dict[int, np.ndarray | None]] = {row.label: {} for row in rows}
    labels = select(characters.c.label).where(changed)
    seen = and_(features.c.crop == crops.c.id, features.c.backbone == backbone)
    columns = (crops.c.label, crops.c.id, features.c.vector, pack_crops.c.pack)
    query = select(*columns).select_from(
        crops.outerjoin(features, seen).outerjoin(pack_crops, pack_crops.c.crop == crops.c.id)
    )
    query = query.where(crops.c.label.in_(labels))
    query = query.order_by(pack_crops.c.pack.is_not(None), crops.c.id)
    packed: set[int] = set()
    known: set[tuple[str, bytes]] = set()  # what is taught here and in a pack is one reference
    for label, crop, vector, pack in connection.execute(query):
        if pack is not None and (vector is None or (label, vector) in known):
            continue  # of a pack for another network nothing can be made
        references[label][crop] = None if vector is None else np.frombuffer(vector, VECTOR)
        known.add((label, vector or b""))
        if pack is not None:
            packed.add(crop)
    brought = read_brought(connection, labels)
    taught = tuple(
        TaughtCharacter(
            Character(row.label, json.loads(row.name), json.loads(row.work)),
            bool(row.forgotten),
            dict(sorted(references[row.label].items())),
            brought.get(row.label),
            frozenset(references[row.label].keys() & packed),
        )
        for row in rows
    )
    return Changes(taught, moment, anew)


def _put_character(connection: Connection, character: Character, *, of_bundle: bool) -> None:
    """Write down a character that is to be answered; names and works are added to those stored."""
    stored = select(characters.c.name, characters.c.work).where(characters.c.label == character.label)
    known = connection.execute(stored).first()
    old_name, old_work = map(json.loads, known) if known else ({}, {})
    name, work = {**old_name, **character.name}, {**old_work, **character.work}
    if not name and not of_bundle:
        said = read_brought(connection, [character.label]).get(character.label, character)
        name, work = said.name, {**said.work, **work}
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
        changed=next_change(),
    )
    new = {name: insert.excluded[name] for name in ("name", "work", "forgotten", "changed")}
    connection.execute(insert.on_conflict_do_update(index_elements=["label"], set_=new))


def _find_pack(connection: Connection, mine: ColumnElement[bool]) -> str | None:
    """Return the name of the pack that brought a crop; None if none did."""
    brought = packs.join(pack_crops, pack_crops.c.pack == packs.c.id)
    query = select(packs.c.name).select_from(brought.join(crops, crops.c.id == pack_crops.c.crop))
    return connection.scalar(query.where(mine))


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # 0.05 s, which most installations need not wait for

        return postgresql.insert(table)
    return sqlite.insert(table)


def _count_crops(connection: Connection, label: str) -> int:
    return connection.scalar(select(func.count()).where(crops.c.label == label)) or 0
