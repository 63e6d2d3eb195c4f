"""Packs in the database of taught characters: what each brought, so that it can be taken away again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from kyara.errors import ConflictError, NotFoundError
from kyara.recognition.characters import Character
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


@dataclass(frozen=True)
class InstalledPack:
    """A pack that is installed.

    Attributes:
        name: by which it is removed.
        author: who made it.
        licence: on which terms.
        network: fingerprint of the backbone that it was made for.
        sha256: of its file.
        installed_at: when, ISO 8601 in UTC.
        characters: of how many it has faces here.
        faces: that it has here.
    """

    name: str
    author: str
    licence: str
    network: str
    sha256: str
    installed_at: str
    characters: int
    faces: int


def next_change() -> Any:
    """Return the number of a change that is being made; nobody else can change anything meanwhile."""
    return select(func.coalesce(func.max(characters.c.changed), 0) + 1).scalar_subquery()


def list_packs(connection: Connection) -> list[InstalledPack]:
    """Return the packs, in the order in which they were installed."""
    from_pack = packs.outerjoin(pack_crops, pack_crops.c.pack == packs.c.id)
    from_crops = from_pack.outerjoin(crops, crops.c.id == pack_crops.c.crop)
    counts = (func.count(crops.c.label.distinct()), func.count(crops.c.id))
    query = select(packs, *counts).select_from(from_crops).group_by(packs.c.id).order_by(packs.c.id)
    return [InstalledPack(*row[1:]) for row in connection.execute(query)]


def list_own(connection: Connection, backbone: str) -> list[tuple[Character, np.ndarray]]:
    """Return what was taught here, without what packs brought.

    Args:
        connection: that reads.
        backbone: fingerprint of the backbone whose features are wanted.

    Returns:
        Characters in the order in which they were changed, with names as they were given, and their
        features, `float16 (N, features)`, oldest first.
    """
    seen = and_(features.c.crop == crops.c.id, features.c.backbone == backbone)
    rows = (
        select(crops.c.label, characters.c.name, characters.c.work, features.c.vector)
        .select_from(
            crops.join(characters, characters.c.label == crops.c.label)
            .join(features, seen)
            .outerjoin(pack_crops, pack_crops.c.crop == crops.c.id)
        )
        .where(pack_crops.c.crop.is_(None))
        .order_by(characters.c.changed, characters.c.label, crops.c.id)
    )
    who: dict[str, Character] = {}
    vectors: dict[str, list[np.ndarray]] = {}
    for label, name, work, vector in connection.execute(rows):
        who.setdefault(label, Character(label, json.loads(name), json.loads(work)))
        vectors.setdefault(label, []).append(np.frombuffer(vector, VECTOR))
    return [(who[label], np.stack(some)) for label, some in vectors.items()]


def read_brought(connection: Connection, labels: Any) -> dict[str, Character]:
    """Return what packs say of characters: label → names, works and pages; the first pack comes first.

    Args:
        connection: that reads.
        labels: some, or a query of labels.
    """
    query = select(pack_characters).where(pack_characters.c.label.in_(labels))
    found: dict[str, Character] = {}
    for row in connection.execute(query.order_by(pack_characters.c.pack)):
        new = Character(
            row.label, json.loads(row.name), json.loads(row.work), row.mal_id, row.anilist_id
        )
        found[row.label] = found[row.label].completed_by(new) if row.label in found else new
    return found


def install(connection: Connection, pack: Pack) -> None:
    """Write a pack down.

    Raises:
        ConflictError: one of this name is installed.
    """
    old = connection.execute(select(packs.c.sha256).where(packs.c.name == pack.name)).first()
    if old is not None:
        which = "This pack" if old.sha256 == pack.sha256 else f"Another pack of the name {pack.name}"
        raise ConflictError(
            f"{which} is installed already; `kyara pack remove {pack.name}` takes it away."
        )
    now = stamp_time()
    said = {"name": pack.name, "author": pack.author, "licence": pack.licence}
    said |= {"network": pack.network, "sha256": pack.sha256, "installed_at": now}
    connection.execute(insert(packs).values(said))
    number = connection.scalar(select(packs.c.id).where(packs.c.name == pack.name))
    assert number is not None
    _install_characters(connection, number, pack)
    _install_faces(connection, number, pack, now)


def _install_characters(connection: Connection, number: int, pack: Pack) -> None:
    first = connection.scalar(select(next_change())) or 0
    rows = connection.execute(select(characters.c.label, characters.c.forgotten))
    forgotten = {row.label: bool(row.forgotten) for row in rows}
    labels = [one.character.label for one in pack.characters]
    changes = {label: first + place for place, label in enumerate(labels)}
    new = [
        {"label": label, "name": "{}", "work": "{}", "forgotten": 0, "changed": changes[label]}
        for label in labels
        if label not in forgotten
    ]
    if new:
        connection.execute(insert(characters), new)
    _change(connection, {label: changes[label] for label in labels if label in forgotten}, forgotten=0)
    brought = [
        {
            "pack": number,
            "label": who.label,
            "name": json.dumps(dict(who.name), ensure_ascii=False),
            "work": json.dumps(dict(who.work), ensure_ascii=False),
            "mal_id": who.mal_id,
            "anilist_id": who.anilist_id,
            "was_forgotten": int(forgotten.get(who.label, False)),
        }
        for who in (one.character for one in pack.characters)
    ]
    connection.execute(insert(pack_characters), brought)


def _change(connection: Connection, changes: Mapping[str, int], **values: int) -> None:
    """Number the changes of characters: label → number; and set what else is new."""
    if changes:
        mine = characters.c.label == bindparam("who")
        statement = update(characters).where(mine).values(changed=bindparam("number"), **values)
        rows = [{"who": label, "number": number} for label, number in changes.items()]
        connection.execute(statement, rows)


def _install_faces(connection: Connection, number: int, pack: Pack, now: str) -> None:
    labels = [one.character.label for one in pack.characters for _ in one.features]
    keys = [f"pack:{number}:{place}" for place in range(len(labels))]
    rows = [
        {"label": label, "png": b"", "sha256": key, "created_at": now}
        for label, key in zip(labels, keys, strict=True)
    ]
    connection.execute(insert(crops), rows)
    mine = crops.c.sha256.startswith(f"pack:{number}:")
    made = {
        row.sha256: row.id for row in connection.execute(select(crops.c.sha256, crops.c.id).where(mine))
    }
    ids = [made[key] for key in keys]
    connection.execute(insert(pack_crops), [{"crop": crop, "pack": number} for crop in ids])
    vectors = (vector for one in pack.characters for vector in one.features.astype(VECTOR))
    connection.execute(
        insert(features),
        [
            {"crop": crop, "backbone": pack.network, "vector": vector.tobytes()}
            for crop, vector in zip(ids, vectors, strict=True)
        ],
    )


def remove(connection: Connection, name: str) -> tuple[int, int]:
    """Take away what a pack brought, and nothing else.

    Returns:
        Of how many characters it takes faces away, and how many faces.

    Raises:
        NotFoundError: no pack of this name is installed.
    """
    number = connection.scalar(select(packs.c.id).where(packs.c.name == name))
    if number is None:
        raise NotFoundError(f"No pack of the name {ascii(name)[:80]} is installed.")
    brought = select(pack_crops.c.crop).where(pack_crops.c.pack == number)
    of_whom = select(func.count(crops.c.label.distinct())).where(crops.c.id.in_(brought))
    touched = connection.scalar(of_whom) or 0
    faces = connection.execute(delete(crops).where(crops.c.id.in_(brought))).rowcount
    query = select(pack_characters.c.label, pack_characters.c.was_forgotten)
    members = connection.execute(query.where(pack_characters.c.pack == number)).all()
    connection.execute(delete(packs).where(packs.c.id == number))
    _hide_again(connection, [row.label for row in members if row.was_forgotten])
    first = connection.scalar(select(next_change())) or 0
    _change(connection, {row.label: first + place for place, row in enumerate(members)})
    return touched, faces


def _hide_again(connection: Connection, labels: Iterable[str]) -> None:
    """Hide characters that a pack had brought back, unless somebody else has, too."""
    for label in labels:
        others = pack_characters.c.label == label
        if connection.execute(update(pack_characters).where(others).values(was_forgotten=1)).rowcount:
            continue
        if not connection.scalar(select(func.count()).where(crops.c.label == label)):
            mine = characters.c.label == label
            connection.execute(update(characters).where(mine).values(forgotten=1))
