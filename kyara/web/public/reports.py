"""Corrections over HTTP: a visitor sends one, and may take it back for a little while."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Float, Integer, Nested, String
from apiflask.validators import OneOf, Range, Regexp
from flask import current_app, request

from kyara.dataset.review.reports import ReportStore, ReviewState
from kyara.dataset.review.reports.quota import check_sender_quota
from kyara.dataset.review.reports.rules import (
    MAX_BOX_PX,
    MAX_LABEL_CHARACTERS,
    MAX_MODEL_VERSION_CHARACTERS,
    MAX_NOTE_CHARACTERS,
    TOKEN_PATTERN,
)
from kyara.dataset.review.reports.settings import hash_visitor
from kyara.errors import BadInputError
from kyara.vision.boxes import Box
from kyara.web.crops import SentCrops
from kyara.web.ops.limits import charge
from kyara.web.review import let_visitors_vote
from kyara.web.serving.admission import Admission
from kyara.web.serving.model_queue import find_model

blueprint = APIBlueprint("reports", __name__)

turns = Admission(running_places=2, places=26)


def _position(what: str) -> Integer:
    return Integer(
        required=True,
        strict=True,
        validate=Range(min=-MAX_BOX_PX, max=MAX_BOX_PX),
        metadata={"description": f"{what} in source-image pixels.", "example": 120},
    )


def _length(what: str) -> Integer:
    return Integer(
        required=True,
        strict=True,
        validate=Range(min=1, max=MAX_BOX_PX),
        metadata={"description": f"{what} in source-image pixels.", "example": 256},
    )


class BoxIn(Schema):
    """Where the crop lies in its picture; the origin is the top left."""

    x = _position("Left edge")
    y = _position("Top edge")
    width = _length("Width")
    height = _length("Height")


class ReportIn(Schema):
    """A crop and who it really shows. Lengths and characters are checked by `reports.rules`."""

    crop = String(
        required=True,
        metadata={
            "description": "Data URL (base64) of a PNG, JPEG or WebP crop, up to 16 Mpx. Kept as PNG of "
            "at most 512 px a side.",
            "example": "data:image/png;base64,iVBORw0KGgo…",
        },
    )
    label = String(
        required=True,
        metadata={
            "description": "Who it is: a label of `/api/characters`, any name in any script, "
            "`not_a_face`, or `not_listed` (somebody who is not in the list).",
            "example": "初音ミク",
            "minLength": 1,
            "maxLength": MAX_LABEL_CHARACTERS,
        },
    )
    note = String(
        load_default=None,
        allow_none=True,
        metadata={"description": "Anything to add.", "maxLength": MAX_NOTE_CHARACTERS},
    )
    predicted = String(
        load_default=None,
        allow_none=True,
        metadata={"description": "Label that was answered, or null.", "example": "megurine_luka"},
    )
    confidence = Float(
        load_default=None,
        allow_none=True,
        validate=Range(min=0, max=1),
        metadata={"description": "Confidence of that answer, 0 to 1.", "example": 0.61},
    )
    model_version = String(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "Name and version of the model that answered.",
            "maxLength": MAX_MODEL_VERSION_CHARACTERS,
        },
    )
    box = Nested(BoxIn, load_default=None, allow_none=True)
    token = String(
        load_default=None,
        allow_none=True,
        validate=Regexp(
            f"^{TOKEN_PATTERN}$", error="Send 8 to 64 of the characters A-Z a-z 0-9 _ -, or no token."
        ),
        metadata={
            "description": "A random text made once for each report. Sent again, it is answered with "
            "the same report, so that a lost answer does no harm; with it the report can be taken back.",
            "example": "3f0c9f5e-6d0e-4f6c-9a53-5e1d7f3b2a10",
        },
    )


class ReportOut(Schema):
    """A stored report."""

    id = String(metadata={"description": "32 hexadecimal digits.", "example": "9b2f" * 8})
    status = String(
        validate=OneOf([str(state) for state in ReviewState]),
        metadata={"description": "Where it stands in review.", "example": "pending"},
    )


class UndoIn(Schema):
    """The key to a report."""

    token = String(
        metadata={
            "description": "The token that the report was sent with. A JSON body may hold it instead."
        }
    )


def find_reports() -> ReportStore:
    """Return this application's report store."""
    return current_app.extensions["kyara_reports"]


@blueprint.post("/api/reports")
@blueprint.input(ReportIn, location="json", arg_name="report")
@blueprint.output(ReportOut, status_code=201)
@blueprint.doc(summary="Say who it really is", responses=[400, 413, 415, 422, 429, 503, 507])
def send_report(report: dict[str, Any]) -> dict[str, str]:
    """Store a correction for review.

    An answer of 201 means that the report survives a crash and a power cut. The same `token` again is
    answered with the same report, and 201, whatever else is sent with it. The same pixels with the
    same label are counted rather than stored twice.
    """
    box = report.pop("box")
    store = find_reports()
    sender = hash_visitor(store, request.remote_addr)
    check_sender_quota(store, sender, report["token"], current_app.config["REPORT_SENDER_QUOTA"])
    deadline, sent = find_model().find_deadline(), SentCrops([report.pop("crop")], numbered=False)
    charge(sent.extra_requests)
    with turns.hold(deadline, 1 + sent.extra_crops):
        crop = sent.decode_one(deadline)
        stored, _ = store.add(crop, box=Box(**box) if box else None, sender=sender, **report)
    let_visitors_vote(stored)
    return {"id": stored.id, "status": stored.state}


@blueprint.delete("/api/reports/<report_id>")
@blueprint.input(UndoIn, location="query", arg_name="query")
@blueprint.output(ReportOut)
@blueprint.doc(summary="Take a report back", responses=[400, 404, 409, 422, 503])
def withdraw_report(report_id: str, query: dict[str, Any]) -> dict[str, str]:
    """Undo a report, within a minute of sending it and with its token; harmless when done twice."""
    body = request.get_json(silent=True)
    token = query.get("token") or (body.get("token") if isinstance(body, dict) else None)
    if not token:
        raise BadInputError("Send the report's token, as ?token=… or in a JSON body.")
    stored = find_reports().withdraw(report_id, token)
    return {"id": stored.id, "status": ReviewState.WITHDRAWN}
