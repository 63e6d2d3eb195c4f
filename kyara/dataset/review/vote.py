"""The vote: three visitors who agree may take an operator's place, where an operator has allowed it.

A label wins a picture when at least three different senders gave it, they are more than two thirds of
all who said anything of the picture, and the features do not object. One sender has one vote, the last
one. A sender that floods has none, and neither has one that is not known; both still count as somebody
who said something else. A picture that an operator has decided about is left to operators.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from kyara.dataset.review.journal import Action
from kyara.dataset.review.opinion import form_opinion
from kyara.dataset.review.reports.journal import ReportJournal
from kyara.dataset.review.reports.placement import read_pixels
from kyara.dataset.review.reports.settings import VOTE, keep_setting, read_setting
from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import REPORTS, Report, ReportRow
from kyara.dataset.review.reports.votes import Vote, find_floods, list_votes
from kyara.dataset.review.tables import ReviewState
from kyara.errors import KyaraError
from kyara.recognition.characters import NOT_A_FACE, NOT_LISTED
from kyara.recognition.name_search import KnownNames
from kyara.storage.database import explain_database_errors

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier

VOTER = "(vote)"
"""Who decides in the history; no operator can be called so."""
MIN_SENDERS = 3
MORE_THAN = Fraction(2, 3)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tally:
    """What visitors say of one picture.

    Attributes:
        label: that most senders gave, resolved; None where nobody has a vote.
        agreeing: senders who gave it.
        senders: all who said anything of the picture; of those without a vote, each label counts once.
    """

    label: str | None
    agreeing: int
    senders: int

    @property
    def wins(self) -> bool:
        """Whether enough senders agree."""
        return (
            self.label is not None
            and self.agreeing >= MIN_SENDERS
            and Fraction(self.agreeing, self.senders) > MORE_THAN
        )


def count_votes(votes: Iterable[Vote], floods: Collection[str], known: KnownNames) -> Tally:
    """Count what is said of one picture.

    Args:
        votes: of the picture, oldest first.
        floods: senders that have no vote.
        known: which label a text means.
    """
    last: dict[str, str] = {}
    unknown: set[str] = set()
    for vote in votes:
        label = known.resolve(vote.label) or vote.label
        if vote.sender is None or vote.sender in floods:
            unknown.add(label)
        else:
            last[vote.sender] = label
    given = list(last.values())
    if not given:
        return Tally(None, 0, len(unknown))
    best = max(sorted(set(given)), key=given.count)
    against = unknown - {best}
    return Tally(best, given.count(best), len(given) + len(against))


def is_vote_on(store: ReportStore, default: bool) -> bool:
    """Tell whether the vote decides: the switch in the database, else the configuration."""
    kept = read_setting(store, VOTE)
    return default if kept is None else kept == "on"


def switch_vote(store: ReportStore, on: bool) -> None:
    """Turn the vote on or off, for every process and for good."""
    keep_setting(store, VOTE, "on" if on else "off")


def take_votes(
    journal: ReportJournal, classifier: Classifier, pictures: Collection[str] | None = None
) -> list[Report]:
    """Accept what the vote accepts; the features of a picture are made only where enough agree.

    Args:
        journal: where it is decided.
        classifier: the model whose features may object.
        pictures: `pixels_sha256` of those to look at; None for all with a pending report.

    Returns:
        The reports that are accepted now. What cannot be accepted is logged and stays pending.
    """
    known = journal.find_names()
    with explain_database_errors(REPORTS), journal.store.sessions() as session:
        query = select(ReportRow).where(ReportRow.state == ReviewState.PENDING)
        if pictures is not None:
            query = query.where(ReportRow.pixels_sha256.in_(list(pictures)))
        pending = [row.to_report() for row in session.scalars(query)]
        reviewed = select(ReportRow.pixels_sha256).where(ReportRow.revision > 0)
        decided = set(session.scalars(reviewed))
        votes = list_votes(session, {report.pixels_sha256 or "" for report in pending})
        senders = {vote.sender for said in votes.values() for vote in said}
        floods = find_floods(session, senders)
    accepted: list[Report] = []
    for report in pending:
        tally = count_votes(votes[report.pixels_sha256 or ""], floods, known)
        if (
            report.pixels_sha256 in decided
            or not tally.wins
            or tally.label != known.resolve(report.label)
        ):
            continue
        if tally.label in (NOT_A_FACE, NOT_LISTED):
            continue
        try:
            features: np.ndarray = classifier.backbone.extract([read_pixels(journal.store, report)])[0]
            if not form_opinion(classifier.frozen(), features, tally.label).objects:
                accepted += journal.decide({report.id: report.revision}, Action.ACCEPT, VOTER)
        except KyaraError as error:
            _log.warning("The vote on report %s is left to an operator: %s", report.id, error)
    return accepted
