"""The review page: reports and collected faces in one queue; one page with three addresses."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import render_template
from flask_babel import gettext as _

from kyara.web.operator.guard import find_operator
from kyara.web.operator.label_answers import MAX_HISTORY
from kyara.web.operator.messages import name_states
from kyara.web.review import find_review, vote_is_on

blueprint = APIBlueprint("review_pages", __name__, url_prefix="/operator", enable_openapi=False)


@blueprint.get("/review", defaults={"kind": "all"})
@blueprint.get("/reports", defaults={"kind": "reports"})
@blueprint.get("/label", defaults={"kind": "faces"})
def show_review(kind: str) -> str:
    """Show the page with the items of a kind; its scripts ask for them."""
    kinds = {"all": _("All"), "reports": _("Reports"), "faces": _("Collected faces")}
    vote = kind != "faces" and vote_is_on()
    return render_template(
        "operator/review.html", kind=kind, kinds=kinds, states=name_states(), vote=vote
    )


@blueprint.get("/review/history")
def list_history() -> dict[str, Any]:
    """Return the operator's own steps that can be undone, of both kinds, the newest last."""
    steps = find_review().list_steps(find_operator(), most=MAX_HISTORY)
    return {
        "history": [
            {"id": step.id, "faces": step.items, "reports": of_reports}
            for step, of_reports in steps[::-1]
        ]
    }
