"""Three visitors who agree: counted by hand, and against the tiny model's features."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from review_samples import CHARACTERS, list_faces

from classification import Classifier
from kyara.images import list_pictures, read_image
from kyara.reports import ReportState, ReportStore
from kyara.reports.choosing import Choice
from kyara.reports.voices import FLOOD_SUBMISSIONS, Voice
from kyara.reviewing import Action, KnownNames, ReviewDesk
from kyara.reviewing.queue import describe_page
from kyara.reviewing.vote import VOTER, count_voices, is_vote_on, switch_vote, take_votes

KNOWN = KnownNames.of(CHARACTERS)
AKA, AO = "aka_ribbon", "ao_glasses"


def speak(*said: tuple[str | None, str]) -> list[Voice]:
    return [Voice("id", "pixels", label, sender, datetime.now(UTC)) for sender, label in said]


@pytest.mark.parametrize(
    ("said", "wins", "agreeing", "senders"),
    [
        ([("a", AKA), ("b", AKA)], False, 2, 2),
        ([("a", AKA), ("b", AKA), ("c", AKA)], True, 3, 3),
        ([("a", AKA), ("b", "Aka Ribbon"), ("c", "赤リボン")], True, 3, 3),
        ([("a", AKA)] * 9, False, 1, 1),  # one sender has one voice
        ([("a", AKA), ("b", AKA), ("c", AKA), ("d", AO)], True, 3, 4),
        # four of six are two thirds, not more
        ([*((s, AKA) for s in "abcd"), ("e", AO), ("f", AO)], False, 4, 6),
        ([("a", AKA), ("b", AKA), ("c", AKA), ("a", AO)], False, 2, 3),  # the last word counts
        ([(None, AKA), (None, AKA), (None, AKA)], False, 0, 1),  # nobody knows whose
        ([("flood", AKA), ("b", AKA), ("c", AKA)], False, 2, 2),
        ([("flood", AO), ("b", AKA), ("c", AKA), ("d", AKA)], True, 3, 4),
    ],
)
def test_the_tally_is_counted_by_senders(
    said: list[tuple[str | None, str]], wins: bool, agreeing: int, senders: int
) -> None:
    tally = count_voices(speak(*said), {"flood"}, KNOWN)
    assert (tally.wins, tally.agreeing, tally.senders) == (wins, agreeing, senders)


@pytest.fixture
def voting(
    store: ReportStore, dataset: Path, tiny_classifier: Classifier
) -> tuple[ReviewDesk, Classifier]:
    return ReviewDesk(store, dataset, lambda: KnownNames.of(tiny_classifier.characters)), tiny_classifier


def read_face(data: Path, label: str, place: int = 0) -> np.ndarray:
    return read_image(sorted(list_pictures(data / label))[place])


def test_three_senders_are_accepted_where_the_features_agree(
    voting: tuple[ReviewDesk, Classifier], store: ReportStore, tiny_data: Path, dataset: Path
) -> None:
    desk, classifier = voting
    crop = read_face(tiny_data, AKA)
    for sender in ("a", "b"):
        report, _ = store.add(crop, AKA, sender=sender)
    assert take_votes(desk, classifier) == []
    store.add(crop, "Aka Ribbon", sender="c")  # the same name in other words is another report
    accepted = take_votes(desk, classifier)
    assert {one.reviewed_label for one in accepted} == {AKA}
    assert {one.reviewed_by for one in accepted} == {VOTER}
    assert report.id in {one.id for one in accepted}
    assert all(path.startswith("aka_ribbon/report-") for path in list_faces(dataset))


def test_the_features_object_to_a_label_that_is_far(
    voting: tuple[ReviewDesk, Classifier], store: ReportStore, tiny_data: Path
) -> None:
    desk, classifier = voting
    crop = read_face(tiny_data, AKA)
    for sender in "abcd":
        store.add(crop, "midori_bun", sender=sender)
    assert take_votes(desk, classifier) == []
    (report,) = store.list()
    assert report.state == ReportState.PENDING
    page = describe_page(
        store,
        Choice(state=ReportState.PENDING),
        desk.find_names(),
        limit=5,
        offset=0,
        classifier=classifier.frozen(),
        extract=lambda _: classifier.backbone.extract([crop])[0],
    )
    (entry,) = page.entries
    assert "far" in entry["marks"]
    assert entry["quorum"]
    assert entry["answers"][0]["label"] == AKA


def test_a_sender_that_floods_is_marked_and_has_no_voice(
    voting: tuple[ReviewDesk, Classifier], store: ReportStore, tiny_data: Path
) -> None:
    desk, classifier = voting
    crops = [read_face(tiny_data, AO, place) for place in range(FLOOD_SUBMISSIONS + 1)]
    for crop in crops:
        store.add(crop, AO, sender="flood")
    for sender in ("a", "b"):
        store.add(crops[0], AO, sender=sender)
    assert take_votes(desk, classifier) == []
    page = describe_page(
        store, Choice(state=ReportState.PENDING), desk.find_names(), limit=100, offset=0
    )
    assert all("flood" in entry["marks"] for entry in page.entries)


def test_what_an_operator_decided_about_is_left_to_operators(
    voting: tuple[ReviewDesk, Classifier], store: ReportStore, tiny_data: Path
) -> None:
    desk, classifier = voting
    for sender in "abc":
        store.add(read_face(tiny_data, AKA), AKA, sender=sender)
    (report,) = store.list()
    desk.decide({report.id: 0}, Action.REJECT, "rin")
    desk.undo_last("rin")
    assert take_votes(desk, classifier) == []


def test_the_vote_is_off_until_it_is_turned_on(store: ReportStore) -> None:
    assert not is_vote_on(store, default=False)
    switch_vote(store, True)
    assert is_vote_on(store, default=False)
    switch_vote(store, False)
    assert not is_vote_on(store, default=True)
