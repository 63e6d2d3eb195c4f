"""Pages of the pictures that fit: by characters, works, confidence; which faces are meant; by a face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from libraries import NETWORK, open_example

from kyara.dataset.library.finding import Hit, Wanted, find_page, show_near
from kyara.dataset.library.reading import Library
from kyara.dataset.library.searching import rank_pictures, read_face
from kyara.errors import BadInputError, NotFoundError


@pytest.fixture
def library(database_url: str, tmp_path: Path) -> Iterator[Library]:
    """A library with a missing picture beside `PICTURES`."""
    with open_example(database_url, tmp_path / "pictures") as library:
        yield library


def read(hits: list[Hit]) -> list[tuple[str, float | None, list[str | None]]]:
    """Return of each hit its picture, measure, and who is meant."""
    return [
        (
            hit.picture.path.stem,
            hit.measure,
            [face.label for face in hit.picture.faces if face.id in hit.meant],
        )
        for hit in hits
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (
            Wanted(("rem",)),
            [("2", 0.99, ["rem"]), ("3", 0.85, ["rem", "rem"]), ("1", 0.6, ["rem"])],
        ),
        (Wanted(("rem",), min_confidence=0.85), [("2", 0.99, ["rem"]), ("3", 0.85, ["rem"])]),
        (Wanted(("rem", "ram")), [("1", 0.6, ["rem", "ram"])]),
        (Wanted(("ram", "rem", "rem")), [("1", 0.6, ["rem", "ram"])]),
        (Wanted(("rem", "ram"), min_confidence=0.7), []),
        (Wanted(("saber", "ram")), []),
        (Wanted(("nobody",)), []),
        (
            Wanted(work="re:z"),
            [("2", 0.99, ["rem"]), ("1", 0.95, ["rem", "ram"]), ("3", 0.85, ["rem", "rem"])],
        ),
        (Wanted(work="naruto"), []),
        (Wanted(("rem",), work="FATE"), [("3", 0.85, ["saber", "rem", "rem"])]),
        (
            Wanted(min_confidence=0.9),
            [("2", 0.99, ["rem"]), ("1", 0.95, ["ram"]), ("3", 0.9, ["saber"])],
        ),
        (
            Wanted(),
            [
                ("1", None, ["rem", "ram"]),
                ("2", None, ["rem", None]),
                ("3", None, ["saber", "rem", "rem"]),
                ("4", None, [None]),
                ("5", None, []),
            ],
        ),
    ],
)
def test_the_surest_picture_comes_first_and_whoever_is_asked_for_is_meant(library, wanted, expected):
    hits, total = find_page(library, wanted, 0, 10)
    assert (read(hits), total) == (expected, len(expected))


def test_pages_are_cut_by_the_database_and_their_number_is_that_of_all(library):
    pages = [find_page(library, Wanted(("rem",)), start, 2) for start in (0, 2, 4)]
    assert [[name for name, _, _ in read(hits)] for hits, _ in pages] == [["2", "3"], ["1"], []]
    assert {total for _, total in pages} == {3}


def test_of_each_picture_the_nearest_face_is_meant(library):
    near = rank_pictures(library, np.array([0.6, 0.8]), NETWORK, 3)
    hits = show_near(library, near)
    assert [(name, meant) for name, _, meant in read(hits)] == [
        ("2", [None]),
        ("4", [None]),
        ("1", ["rem"]),
    ]
    assert [hit.measure for hit in hits] == pytest.approx([1.0, 0.96, 0.6], abs=2e-3)


def test_a_face_of_the_library_is_sought_by_its_own_embedding(library):
    hits, _ = find_page(library, Wanted(("saber",)), 0, 1)
    (saber,) = [face.id for face in hits[0].picture.faces if face.label == "saber"]
    embedding, network = read_face(library, saber)
    assert (embedding.tolist(), network) == ([-1.0, 0.0], NETWORK)
    with pytest.raises(NotFoundError, match="no such face any more"):
        read_face(library, 10_000)


def test_a_search_by_a_face_ends_when_its_caller_says_so(library):
    def refuse() -> None:
        raise BadInputError("The time is over.")

    with pytest.raises(BadInputError, match="The time is over"):
        rank_pictures(library, np.array([1.0, 0.0]), NETWORK, 3, refuse)
