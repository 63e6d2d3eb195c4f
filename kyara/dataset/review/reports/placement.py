"""The dataset's side of review: accepted crops are in it, others are not."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from kyara.dataset.folder import FACES_FOLDER, Change, change_dataset, list_faces_below
from kyara.dataset.intake import HISTORY_FOLDER, IntakeFace, find_place, take_in, take_out
from kyara.dataset.review import steps
from kyara.dataset.review.reports import files
from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import REPORTS, Report, ReportRow
from kyara.dataset.review.steps import Review
from kyara.dataset.review.tables import ReviewState
from kyara.errors import KyaraError
from kyara.storage.database import explain_database_errors
from kyara.vision.images import encode_png

FACE_PREFIX = "report-"
_ACCEPTED = (ReportRow.state == ReviewState.ACCEPTED, ReportRow.reviewed_label.is_not(None))

_log = logging.getLogger(__name__)


def name_face(report_id: str) -> str:
    """Return the name of a report's face in the dataset."""
    return f"{FACE_PREFIX}{report_id}"


def read_pixels(store: ReportStore, report: Report) -> np.ndarray:
    """Return a report's crop, `uint8 (H, W, 3)`.

    Raises:
        NotFoundError: its file is gone.
        KyaraError: it is damaged.
    """
    return files.decode_report(store.read_file(report))[0]


def describe_report(report: Report, history: Collection[Review]) -> dict[str, Any]:
    """Return what is kept with an accepted crop and what an export tells: no note, token or sender."""
    return {
        "id": report.id,
        "state": str(report.state),
        "label": report.reviewed_label,
        "said": report.label,
        "predicted": report.predicted,
        "confidence": report.confidence,
        "model_version": report.model_version,
        "box": report.box.to_json() if report.box else None,
        "count": report.count,
        "created_at": report.created_at.isoformat(timespec="seconds"),
        "pixels_sha256": report.pixels_sha256,
        "reviews": [review.to_json() for review in history],
    }


def put_in(
    session: Session, store: ReportStore, dataset: Path, change: Change, report_ids: Collection[str]
) -> None:
    """Put into the dataset those of some reports that are accepted; harmless where they are there.

    Raises:
        KyaraError: a picture is gone, or there is no room.
    """
    history = steps.read_history(session, report_ids)
    query = select(ReportRow).where(ReportRow.id.in_(list(report_ids)), *_ACCEPTED)
    for row in session.scalars(query):
        report = row.to_report()
        png = encode_png(read_pixels(store, report))
        group = report.pixels_sha256 or hashlib.sha256(png).hexdigest()
        face = IntakeFace(
            id=name_face(report.id),
            label=report.reviewed_label or "",
            png=png,
            group=f"{FACE_PREFIX}{group[:16]}",
            history=describe_report(report, history[report.id]),
        )
        take_in(dataset, change, face)


def settle(store: ReportStore, dataset: Path, change: Change, report_ids: Collection[str]) -> None:
    """Take out what the database does not call accepted, put in what it does; troubles are logged.

    Args:
        store: of the reports.
        dataset: the dataset folder.
        change: of the dataset, under way.
        report_ids: to look at; only these are touched, and of these only where review had put them.
    """
    if not report_ids:
        return
    try:
        with explain_database_errors(REPORTS), store.sessions() as session:
            history = steps.read_history(session, report_ids)
            query = select(ReportRow.id, ReportRow.reviewed_label)
            accepted: dict[str, str | None] = {
                report_id: label
                for report_id, label in session.execute(
                    query.where(ReportRow.id.in_(list(report_ids)), *_ACCEPTED)
                )
            }
            missing = [
                report_id
                for report_id, label in accepted.items()
                if not find_place(dataset, name_face(report_id), label or "").is_file()
            ]
            put_in(session, store, dataset, change, missing)
        for report_id, reviews in history.items():
            label = accepted.get(report_id)
            verdicts = [verdict for review in reviews for verdict in (review.before, review.after)]
            places = {v.label for v in verdicts if v.state == ReviewState.ACCEPTED and v.label}
            for place in places - {label}:
                take_out(dataset, name_face(report_id), place, keep_history=label is not None)
    except (KyaraError, OSError) as error:
        _log.error("%s: accepted reports are put right at the next start: %s", dataset, error)


def reconcile(store: ReportStore, dataset: Path) -> None:
    """Bring the dataset into step with all reports, where it is not.

    A face of a report that this database does not know, or that lies in a folder that no review put it
    into, is a person's doing and is left alone.
    """
    with explain_database_errors(REPORTS), store.sessions() as session:
        query = select(ReportRow.id, ReportRow.reviewed_label).where(*_ACCEPTED)
        wanted: Mapping[str, str] = {
            report_id: label for report_id, label in session.execute(query) if label
        }
    if not wanted and not (dataset / HISTORY_FOLDER).is_dir():
        return
    present: dict[str, str] = {}
    for path in list_faces_below(dataset / FACES_FOLDER):
        label, _, name = path.rpartition("/")
        if name.startswith(FACE_PREFIX):
            present[name.removeprefix(FACE_PREFIX).removesuffix(".png")] = label
    with explain_database_errors(REPORTS), store.sessions() as session:
        history = steps.read_history(session, {*wanted, *present})
    wrong = [
        report_id
        for report_id, reviews in history.items()
        if reviews and _is_wrong(wanted.get(report_id), present.get(report_id), reviews)
    ]
    if not wrong:
        return
    _log.warning("%s: %d accepted reports are put right.", dataset, len(wrong))
    with change_dataset(dataset) as change:
        settle(store, dataset, change, wrong)


def _is_wrong(wanted: str | None, present: str | None, reviews: Collection[Review]) -> bool:
    """Tell whether a face is not where its reviews say; what a person moved elsewhere is not wrong."""
    if wanted == present:
        return False
    places = {review.after.label for review in reviews} | {review.before.label for review in reviews}
    return present is None or present in places
