"""What only an operator may do over HTTP: teach a character, forget one, see what was taught.

The routes exist only where a token is configured. Every request carries it:
`Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import hmac
from typing import Any

from apiflask import APIBlueprint
from flask import current_app, request

from kyara.errors import UnauthorizedError
from kyara.storage.events import TAUGHT
from kyara.web.crops import SentCrops
from kyara.web.ops.limits import charge
from kyara.web.public.pages import select_language
from kyara.web.schemas import ForgetIn, GalleryOut, LessonIn, LessonOut
from kyara.web.serving.model_queue import find_model

PREFIX = "/api/gallery"
SECURITY_SCHEMES = {"operator": {"type": "http", "scheme": "bearer"}}
"""For the OpenAPI document."""

blueprint = APIBlueprint("operator", __name__, url_prefix=PREFIX, tag="Operator")


@blueprint.before_app_request
def require_operator() -> None:
    """Refuse requests without the token; by their address, and before a body is read.

    Raises:
        UnauthorizedError: another token, or none.
    """
    if request.path != PREFIX and not request.path.startswith(f"{PREFIX}/"):
        return
    sent = request.authorization
    given = sent.token if sent is not None and sent.type == "bearer" and sent.token else ""
    expected = current_app.config["OPERATOR_TOKEN"]
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise UnauthorizedError("This needs the operator's token: Authorization: Bearer TOKEN.")


@blueprint.post("")
@blueprint.input(LessonIn, location="json", arg_name="enrolment")
@blueprint.output(LessonOut, status_code=201)
@blueprint.doc(
    summary="Teach a character", responses=[400, 401, 413, 415, 422, 503, 507], security="operator"
)
def teach(enrolment: dict[str, Any]) -> dict[str, Any]:
    """Add references of a character, which is answered from then on. The crops are kept."""
    label = enrolment["label"]
    model, count = find_model(), len(enrolment["crops"])
    crops = SentCrops(enrolment["crops"])
    charge(crops.extra_requests)
    with model.place(count + crops.extra_crops) as classifier:
        decoded = crops.decode(model.find_deadline())
        references = classifier.teach(label, decoded, enrolment.get("name"), enrolment.get("work"))
    current_app.extensions["kyara_events"].publish(TAUGHT)
    return {"label": label, "references": references}


@blueprint.delete("/<path:label>")
@blueprint.input(ForgetIn, location="query", arg_name="query")
@blueprint.output(LessonOut)
@blueprint.doc(summary="Forget a character", responses=[401, 404, 422, 503, 507], security="operator")
def forget(label: str, query: dict[str, Any]) -> dict[str, Any]:
    """Delete what was taught of a character, and answer it no more; teaching it brings it back."""
    with find_model().place() as classifier:
        references = classifier.forget(label, query.get("reference"))
    current_app.extensions["kyara_events"].publish(TAUGHT)
    return {"label": label, "references": references}


@blueprint.get("")
@blueprint.output(GalleryOut)
@blueprint.doc(summary="What was taught", responses=[401, 503], security="operator")
def list_taught() -> dict[str, Any]:
    """List the taught characters with their references, and the forgotten labels."""
    language = select_language()
    classifier = find_model().classifier.frozen()
    characters = [
        {
            **classifier.character(label).to_json(language),
            "references": len(references),
            "ids": references,
        }
        for label, references in classifier.taught.items()
    ]
    return {"characters": characters, "forgotten": classifier.forgotten}
