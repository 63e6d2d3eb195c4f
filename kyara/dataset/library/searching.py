"""A face → the pictures of a library whose faces are nearest to it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select

from kyara.dataset.library.answering import read_embeddings
from kyara.dataset.library.reading import Library, LibraryPicture, is_shown
from kyara.dataset.library.tables import NO_FACE, FaceRow, PictureRow
from kyara.errors import BadInputError, NotFoundError
from kyara.recognition.gallery import scale_to_unit
from kyara.storage.paging import read_pages

FACES_AT_ONCE = 10_000


@dataclass(frozen=True)
class NearFace:
    """The face of a picture that is nearest to the one that is sought.

    Attributes:
        picture: id of the picture.
        face: id of the face.
        cosine: -1 to 1.
    """

    picture: int
    face: int
    cosine: float


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
    chosen = rank_pictures(library, embedding, network, count)
    pictures = library.read_named([one.picture for one in chosen])
    return [(one.cosine, pictures[one.picture]) for one in chosen if one.picture in pictures]


def rank_pictures(
    library: Library,
    embedding: np.ndarray,
    network: str,
    count: int,
    check: Callable[[], object] = lambda: None,
) -> list[NearFace]:
    """Return the nearest face of each of the pictures that have the nearest faces, the nearest first.

    Args:
        library: as for `find_nearest`, and so are the next three.
        embedding: see there.
        network: see there.
        count: see there.
        check: called after each `FACES_AT_ONCE` faces; what it raises ends the search.

    Raises:
        BadInputError: as `find_nearest`.
    """
    wanted = scale_to_unit(embedding[None].astype(np.float32))[0]
    best: dict[int, NearFace] = {}
    for block, faces in _read_faces(library, network):
        cosines = scale_to_unit(faces.astype(np.float32)) @ wanted
        for (face, picture), cosine in zip(block, cosines.tolist(), strict=True):
            if picture not in best or cosine > best[picture].cosine:
                best[picture] = NearFace(picture, face, cosine)
        if len(best) > 2 * max(count, FACES_AT_ONCE):
            best = {one.picture: one for one in _take_best(best, count)}
        check()
    if not best and _has_faces(library):
        raise BadInputError(
            "The faces of this library were seen by another network: scan it again with this model."
        )
    return _take_best(best, count)


def read_face(library: Library, face: int) -> tuple[np.ndarray, str]:
    """Return the embedding of a face, `float16 (features,)`, and the fingerprint of what made it.

    Raises:
        NotFoundError: there is no such face.
    """
    query = select(FaceRow.embedding, FaceRow.network).where(FaceRow.id == face)
    with library.engine.connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise NotFoundError("There is no such face any more.")
    return read_embeddings([row.embedding])[0], row.network


def _take_best(best: dict[int, NearFace], count: int) -> list[NearFace]:
    return heapq.nsmallest(count, best.values(), key=lambda one: (-one.cosine, one.picture))


def _read_faces(library: Library, network: str) -> Iterator[tuple[list[tuple[int, int]], np.ndarray]]:
    """Give the faces of a network in blocks: their ids and their pictures', `float16 (N, features)`."""
    query = select(FaceRow.id, FaceRow.picture, FaceRow.embedding)
    query = query.join(PictureRow, PictureRow.id == FaceRow.picture).where(is_shown())
    query = query.where(FaceRow.network == network, FaceRow.status != NO_FACE)
    for rows in read_pages(library.engine, query, FaceRow.id, FACES_AT_ONCE):
        yield [(row.id, row.picture) for row in rows], read_embeddings([row.embedding for row in rows])


def _has_faces(library: Library) -> bool:
    with library.engine.connect() as connection:
        return connection.scalar(select(FaceRow.id).limit(1)) is not None
