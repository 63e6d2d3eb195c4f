"""What a reviewer sees of a report: who said what, what the model says, and what is suspicious.

Suspicious is: one sender's flood; a label far from the features; the same picture with other labels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select

from kyara.dataset.review.opinion import form_opinion
from kyara.dataset.review.reports.choosing import Choice
from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import REPORTS, Report, ReportRow
from kyara.dataset.review.reports.votes import Vote, find_floods, list_votes
from kyara.dataset.review.tables import ReviewState
from kyara.dataset.review.vote import count_votes
from kyara.errors import KyaraError
from kyara.recognition.characters import NOT_A_FACE, NOT_LISTED
from kyara.recognition.identities import Neighbour
from kyara.recognition.name_search import KnownNames
from kyara.storage.database import explain_database_errors

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier

FLOOD, OUTLIER, CONFLICTING = "flood", "outlier", "conflicting"
OWN_REFERENCES = 3
OTHER_REFERENCES = 3
ExtractFeatures = Callable[[Report], np.ndarray]


@dataclass(frozen=True)
class Page:
    """A part of the queue.

    Attributes:
        entries: what is shown of each report, as JSON has it.
        total: how many reports there are in all.
    """

    entries: list[dict[str, Any]]
    total: int


def list_page(
    store: ReportStore, choice: Choice, *, limit: int, offset: int
) -> tuple[list[Report], int]:
    """Return reports, those with most submissions first, then the oldest, and how many there are."""
    conditions = choice.conditions()
    order = (ReportRow.count.desc(), ReportRow.created_at, ReportRow.id)
    if choice.state not in (None, ReviewState.PENDING):
        order = (ReportRow.reviewed_at.desc().nulls_last(), ReportRow.id)
    with explain_database_errors(REPORTS), store.sessions() as session:
        total = session.scalar(select(func.count()).select_from(ReportRow).where(*conditions)) or 0
        query = select(ReportRow).where(*conditions).order_by(*order).limit(limit).offset(offset)
        return [row.to_report() for row in session.scalars(query)], total


def describe_page(
    store: ReportStore,
    choice: Choice,
    known: KnownNames,
    *,
    limit: int,
    offset: int,
    classifier: Classifier | None = None,
    extract: ExtractFeatures | None = None,
) -> Page:
    """Return what a reviewer sees of a part of the queue.

    Args:
        store: of the reports.
        choice: which reports.
        known: names of labels.
        limit: most entries.
        offset: how many to skip.
        classifier: a frozen view of the model that serves; without one nothing is said of features.
        extract: gives a report's `float32 (features,)`; raises a KyaraError where it cannot.
    """
    reports, total = list_page(store, choice, limit=limit, offset=offset)
    with explain_database_errors(REPORTS), store.sessions() as session:
        votes = list_votes(session, {report.pixels_sha256 or "" for report in reports})
        senders = {vote.sender for said in votes.values() for vote in said}
        floods = find_floods(session, senders)
    entries = []
    for report in reports:
        said = votes[report.pixels_sha256 or ""]
        entry = describe_entry(report, known) | describe_votes(report, said, floods, known)
        if classifier and extract:
            entry |= describe_features(report, entry["meant"], classifier, extract, known)
        marks = {
            FLOOD: any(vote.sender in floods for vote in said if vote.report_id == report.id),
            OUTLIER: bool(entry.get("objects")),
            CONFLICTING: bool(entry["others"]),
        }
        entries.append({**entry, "marks": [mark for mark, there in marks.items() if there]})
    return Page(entries, total)


def describe_entry(report: Report, known: KnownNames) -> dict[str, Any]:
    """Return what the report itself says; `meant` is the label that the visitor's word means."""
    meant = known.resolve(report.label)
    return {
        "id": report.id,
        "revision": report.revision,
        "state": str(report.state),
        "said": report.label,
        "said_name": known.say(meant or report.label),
        "meant": meant,
        "acceptable": meant is not None or report.label == NOT_A_FACE,
        "predicted": report.predicted,
        "predicted_name": known.say(report.predicted) if report.predicted else None,
        "confidence": report.confidence,
        "model_version": report.model_version,
        "note": report.note,
        "count": report.count,
        "created_at": report.created_at.isoformat(timespec="seconds"),
        "reviewed_label": report.reviewed_label,
        "reviewed_name": known.say(report.reviewed_label) if report.reviewed_label else None,
        "reviewed_by": report.reviewed_by,
        "reviewed_at": report.reviewed_at and report.reviewed_at.isoformat(timespec="seconds"),
        "file_missing": report.file_missing,
    }


def describe_votes(
    report: Report, said: Sequence[Vote], floods: Collection[str], known: KnownNames
) -> dict[str, Any]:
    """Return who stands behind a report, and what others say of the same picture."""
    mine = [vote for vote in said if vote.report_id == report.id]
    meant = known.resolve(report.label) or report.label
    others: dict[str, int] = {}
    for vote in said:
        label = known.resolve(vote.label) or vote.label
        if label != meant:
            others[label] = others.get(label, 0) + 1
    tally = count_votes(said, floods, known)
    return {
        "senders": sorted({vote.sender for vote in mine if vote.sender}),
        "others": [
            {"said": label, "name": known.say(label), "count": count}
            for label, count in sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        "agreeing": tally.agreeing if tally.label == meant else 0,
        "quorum": tally.wins and tally.label == meant,
    }


def describe_features(
    report: Report,
    meant: str | None,
    classifier: Classifier,
    extract: ExtractFeatures,
    known: KnownNames,
) -> dict[str, Any]:
    """Return what the model says of a report's crop now; nothing where the crop cannot be read."""
    try:
        features = extract(report)
    except KyaraError:
        return {}
    opinion = form_opinion(classifier, features, meant)
    own = classifier.nearest(features, meant, OWN_REFERENCES) if meant in classifier.labels else []
    others = classifier.nearest(features, None, OTHER_REFERENCES)
    judged = report.label not in (NOT_A_FACE, NOT_LISTED)
    return {
        "verdict": opinion.answers.verdict,
        "answers": [
            {
                "label": answer.label,
                "name": known.say(answer.label),
                "confidence": round(answer.confidence, 4),
            }
            for answer in opinion.answers.answers
        ],
        "similarity": None if opinion.similarity is None else round(opinion.similarity, 4),
        "objects": judged and opinion.objects,
        "references": [_describe_neighbour(one, known) for one in own],
        "nearest": [_describe_neighbour(one, known) for one in others],
    }


def _describe_neighbour(neighbour: Neighbour, known: KnownNames) -> Mapping[str, Any]:
    return {
        "label": neighbour.label,
        "name": known.say(neighbour.label),
        "similarity": round(neighbour.similarity, 4),
        "reference": neighbour.reference,
        "taught": neighbour.taught,
    }
