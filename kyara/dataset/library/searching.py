"""A face → the pictures of a library whose faces are nearest to it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
from sqlalchemy import select

from kyara.dataset.library.answering import read_embeddings
from kyara.dataset.library.reading import Library, LibraryPicture, is_shown
from kyara.dataset.library.tables import NO_FACE, FaceRow, PictureRow
from kyara.errors import BadInputError
from kyara.recognition.gallery import scale_to_unit

FACES_AT_ONCE = 10_000


def find_nearest(
    library: Library, embedding: np.ndarray, network: str, count: int
) -> list[tuple[float, LibraryPicture]]:
    """Return the pictures with the faces that are nearest to one, the nearest first.

    Args:
        library: where they are.
        embedding: `float (features,)`.
        network: fingerprint of what made it; embeddings of another one say nothing.
        count: at most so many pictures.

    Returns:
        Of each the highest cosine, -1 to 1, and the picture.

    Raises:
        BadInputError: the library has faces, and none of this network.
    """
    wanted = scale_to_unit(embedding[None].astype(np.float32))[0]
    best: dict[int, float] = {}
    for pictures, faces in _read_faces(library, network):
        cosines = scale_to_unit(faces.astype(np.float32)) @ wanted
        for picture, cosine in zip(pictures, cosines.tolist(), strict=True):
            best[picture] = max(cosine, best.get(picture, -2.0))
        if len(best) > 2 * max(count, FACES_AT_ONCE):
            best = dict(_take_best(best, count))
    if not best and _has_faces(library):
        raise BadInputError(
            "The faces of this library were seen by another network: scan it again with this model."
        )
    chosen = _take_best(best, count)
    pictures = library.read_named([number for number, _ in chosen])
    return [(cosine, pictures[number]) for number, cosine in chosen if number in pictures]


def _take_best(best: dict[int, float], count: int) -> list[tuple[int, float]]:
    return heapq.nsmallest(count, best.items(), key=lambda one: (-one[1], one[0]))


def _read_faces(library: Library, network: str) -> Iterator[tuple[list[int], np.ndarray]]:
    """Give the faces of a network in blocks: ids of their pictures, `float16 (N, features)`."""
    last = 0
    query = select(FaceRow.id, FaceRow.picture, FaceRow.embedding)
    query = query.join(PictureRow, PictureRow.id == FaceRow.picture).where(is_shown())
    query = (
        query.where(FaceRow.network == network, FaceRow.status != NO_FACE)
        .order_by(FaceRow.id)
        .limit(FACES_AT_ONCE)
    )
    while True:
        with library.engine.connect() as connection:
            rows = connection.execute(query.where(FaceRow.id > last)).all()
        if not rows:
            return
        yield [row.picture for row in rows], read_embeddings([row.embedding for row in rows])
        last = rows[-1].id


def _has_faces(library: Library) -> bool:
    with library.engine.connect() as connection:
        return connection.scalar(select(FaceRow.id).limit(1)) is not None
