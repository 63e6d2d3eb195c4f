"""What the review page asks about reports: the queue, and what an operator does with them."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Dict, Integer, List, Nested, String
from apiflask.validators import Length, OneOf, Range, Regexp
from flask import (
    Response,
    current_app,
    request,
    send_file,
    send_from_directory,
    url_for,
)

from kyara.dataset.folder import FACES_FOLDER
from kyara.dataset.review.exporting import export_to_zip
from kyara.dataset.review.journal import MAX_DECIDED, Action
from kyara.dataset.review.queue import describe_entry, describe_page
from kyara.dataset.review.reports import Report, ReviewState
from kyara.dataset.review.reports.choosing import Choice
from kyara.dataset.review.reports.placement import read_pixels
from kyara.dataset.review.reports.rules import TOKEN_PATTERN
from kyara.dataset.review.steps import ReviewConflictError
from kyara.dataset.review.vote import switch_vote, take_votes
from kyara.errors import NotFoundError
from kyara.recognition.enrolment_store import PACKED
from kyara.vision.images import encode_png
from kyara.vision.picture_files import SUFFIXES
from kyara.web.operator.guard import find_operator
from kyara.web.operator.known_now import follow_decision
from kyara.web.problems import answer_stale
from kyara.web.review import find_classifier, find_names, find_review, vote_is_on
from kyara.web.serving.model_queue import find_model

PAGE_REPORTS = 24
MAX_ZIP_IN_MEMORY_BYTES = 8 * 1024 * 1024
STATES = [str(state) for state in ReviewState]

blueprint = APIBlueprint("report_pages", __name__, url_prefix="/operator/reports", enable_openapi=False)


class ChoiceIn(Schema):
    """Which reports."""

    state = String(load_default="pending", validate=OneOf([*STATES, "all"]))
    label = String(load_default=None, validate=Length(max=200))
    sender = String(load_default=None, validate=Length(max=64))


class QueueIn(ChoiceIn):
    """A part of the queue."""

    limit = Integer(load_default=PAGE_REPORTS, validate=Range(min=1, max=100))
    offset = Integer(load_default=0, validate=Range(min=0, max=10_000_000))


class SeenIn(Schema):
    """A report as the operator saw it."""

    id = String(required=True, validate=Length(equal=32))
    revision = Integer(required=True, strict=True)


class DecisionIn(Schema):
    """What is decided about which reports."""

    reports = List(Nested(SeenIn), required=True, validate=Length(min=1, max=MAX_DECIDED))
    action = String(required=True, validate=OneOf([str(action) for action in Action]))
    label = String(load_default=None, allow_none=True, validate=Length(max=200))
    name = Dict(keys=String(), values=String(), load_default=None, allow_none=True)
    step = String(load_default=None, allow_none=True, validate=Regexp(rf"{TOKEN_PATTERN}\Z"))
    known = Boolean(load_default=False)


class UndoStepIn(Schema):
    """Which step; by default one's last."""

    step = String(load_default=None, allow_none=True, validate=Length(max=64))


class DeletionIn(Schema):
    """Which reports to delete for good: exactly one of these."""

    ids = List(String(), load_default=None, allow_none=True, validate=Length(min=1, max=MAX_DECIDED))
    label = String(load_default=None, allow_none=True, validate=Length(min=1, max=200))
    sender = String(load_default=None, allow_none=True, validate=Length(min=1, max=64))


class SwitchIn(Schema):
    """The switch of the vote."""

    on = Boolean(required=True)


@blueprint.errorhandler(ReviewConflictError)
def answer_conflict(error: ReviewConflictError) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Answer 409 with the reports as they are now."""
    store = find_review().reports.store
    return answer_stale(error, _answer([store.get(report_id) for report_id in error.items]))


@blueprint.get("/queue")
@blueprint.input(QueueIn, location="query", arg_name="query")
def list_queue(query: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the queue with everything that the page shows, and the counts."""
    classifier = find_classifier()
    features = current_app.extensions["kyara_report_features"]
    page = describe_page(
        find_review().reports.store,
        _choose(query),
        find_names(),
        limit=query["limit"],
        offset=query["offset"],
        classifier=classifier,
        extract=(lambda report: features.extract(classifier, report)) if classifier else None,
    )
    for entry in page.entries:
        entry["crop"] = url_for(".show_crop", report_id=entry["id"])
        for neighbour in (*entry.get("references", ()), *entry.get("nearest", ())):
            neighbour["picture"] = _find_picture(neighbour)
    return {"reports": page.entries, "total": page.total, "counts": _count(), "vote": vote_is_on()}


@blueprint.get("/<report_id>/crop")
def show_crop(report_id: str) -> Response:
    """Show a report's crop."""
    store = find_review().reports.store
    picture = io.BytesIO(store.read_file(store.get(report_id)))
    return send_file(picture, mimetype="image/png", etag=report_id)


@blueprint.get("/<report_id>/history")
def show_history(report_id: str) -> dict[str, Any]:
    """Return what was decided about a report, oldest first."""
    find_review().reports.store.get(report_id)
    return {"history": [review.to_json() for review in find_review().reports.read_history(report_id)]}


@blueprint.get("/reference")
def show_reference() -> Response:
    """Show a reference face: a taught one by its id, one of the dataset by its path."""
    taught, path = request.args.get("taught"), request.args.get("path", "")
    if taught is not None:
        # a frozen view draws no pictures: they are the store's
        pixels = find_model().classifier.draw_thumbnail(taught) if taught.isdigit() else None
        if pixels is None:
            raise NotFoundError("There is no such reference.")
        return Response(encode_png(pixels), mimetype="image/png")
    if Path(path).suffix.lower() not in SUFFIXES:
        raise NotFoundError("There is no such reference.")
    return send_from_directory(Path(current_app.config["DATASET_FOLDER"]).resolve() / FACES_FOLDER, path)


@blueprint.post("/decide")
@blueprint.input(DecisionIn, location="json", arg_name="decision")
def decide(decision: dict[str, Any]) -> dict[str, Any]:
    """Decide about reports, all or none."""
    reports = find_review().reports.decide(
        {seen["id"]: seen["revision"] for seen in decision["reports"]},
        Action(decision["action"]),
        find_operator(),
        label=decision["label"],
        name=decision["name"],
        step=decision["step"],
    )
    return {**_answer(reports), **_follow(reports, known=decision["known"])}


@blueprint.post("/undo")
@blueprint.input(UndoStepIn, location="json", arg_name="undo")
def undo(undo: dict[str, Any]) -> dict[str, Any]:
    """Take back one's own step, by default the last one that stands."""
    journal, operator = find_review().reports, find_operator()
    if undo["step"] is None:
        step, reports = journal.undo_last(operator)
    else:
        step, reports = undo["step"], journal.undo(undo["step"], operator)
    return {**_answer(reports), **_follow(reports), "step": step}


@blueprint.post("/delete")
@blueprint.input(DeletionIn, location="json", arg_name="deletion")
def delete(deletion: dict[str, Any]) -> dict[str, Any]:
    """Delete reports for good."""
    given = {name: value for name, value in deletion.items() if value is not None}
    return {
        "deleted": find_review().reports.delete(Choice(**given), find_operator()),
        "counts": _count(),
    }


@blueprint.post("/vote")
@blueprint.input(SwitchIn, location="json", arg_name="switch")
def set_vote(switch: dict[str, Any]) -> dict[str, Any]:
    """Turn the vote on or off; turned on, it is taken at once on everything that waits."""
    journal = find_review().reports
    switch_vote(journal.store, switch["on"])
    classifier = find_classifier()
    accepted = take_votes(journal, classifier) if switch["on"] and classifier else []
    return {"vote": switch["on"], "accepted": [report.id for report in accepted], "counts": _count()}


@blueprint.get("/export.zip")
@blueprint.input(ChoiceIn, location="query", arg_name="query")
def export(query: dict[str, Any]) -> Response:
    """Download reports: `reports.json` and their crops."""
    out = tempfile.SpooledTemporaryFile(max_size=MAX_ZIP_IN_MEMORY_BYTES)
    export_to_zip(find_review().reports.store, _choose(query), out)
    out.seek(0)
    return send_file(out, "application/zip", as_attachment=True, download_name="reports.zip")


def _choose(query: dict[str, Any]) -> Choice:
    state = None if query["state"] == "all" else ReviewState(query["state"])
    return Choice(state=state, label=query["label"] or None, sender=query["sender"] or None)


def _count() -> dict[str, int]:
    return {str(state): count for state, count in find_review().reports.store.count_by_state().items()}


def _answer(reports: list[Report]) -> dict[str, Any]:
    known = find_names()
    return {"reports": [describe_entry(report, known) for report in reports], "counts": _count()}


def _follow(reports: list[Report], *, known: bool = False) -> dict[str, list[str]]:
    """Let the gallery follow what was decided about reports."""
    journal = find_review().reports

    def read_crop(report_id: str) -> np.ndarray:
        return read_pixels(journal.store, journal.store.get(report_id))

    return follow_decision(journal, [report.id for report in reports], read_crop, known=known)


def _find_picture(neighbour: dict[str, Any]) -> str | None:
    """Return where a reference can be seen; None if nothing is kept of it but features."""
    reference = neighbour["reference"]
    if neighbour["taught"] and reference.startswith(PACKED):
        return None
    if neighbour["taught"]:
        return url_for(".show_reference", taught=reference)
    faces = Path(current_app.config["DATASET_FOLDER"]) / FACES_FOLDER
    if not reference or ".." in Path(reference).parts or not (faces / reference).is_file():
        return None
    return url_for(".show_reference", path=reference)
