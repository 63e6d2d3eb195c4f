"""The list of characters: who is known, by what, and how much there is of each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer, String
from apiflask.validators import Length, Range
from flask import current_app, render_template
from sqlalchemy import func, select

from kyara.dataset.names import count_faces
from kyara.dataset.review.reports.tables import REPORTS, ReportRow
from kyara.dataset.review.tables import ReviewState
from kyara.recognition.characters import search_characters
from kyara.storage.database import explain_database_errors
from kyara.vision.languages import LANGUAGES
from kyara.web.review import find_classifier, find_names, find_review

PAGE_CHARACTERS = 50

blueprint = APIBlueprint(
    "character_pages", __name__, url_prefix="/operator/characters", enable_openapi=False
)


class SearchIn(Schema):
    """What to look for."""

    query = String(load_default="", validate=Length(max=100))
    limit = Integer(load_default=8, validate=Range(min=1, max=100))


class ListIn(Schema):
    """A part of the list."""

    query = String(load_default="", validate=Length(max=100))
    page = Integer(load_default=1, validate=Range(min=1, max=100_000))


@blueprint.get("")
@blueprint.input(ListIn, location="query", arg_name="asked")
def show_characters(asked: dict[str, Any]) -> str:
    """Show characters with their names, references, and counts; `query` narrows the list."""
    known = find_names()
    found = search_characters(known.characters.values(), asked["query"], "en", len(known.characters))
    first = (asked["page"] - 1) * PAGE_CHARACTERS
    shown = found[first : first + PAGE_CHARACTERS]
    classifier = find_classifier()
    references = Counter(classifier.count_references()) if classifier else Counter()
    taught = classifier.taught if classifier else {}
    faces = count_faces(Path(current_app.config["DATASET_FOLDER"]))
    waiting = count_pending()
    rows = [
        {
            "label": one.label,
            "names": {code: one.name[code] for code in LANGUAGES if one.name.get(code)},
            "work": one.work_in("en"),
            "references": references[one.label],
            "taught": len(taught.get(one.label, ())),
            "faces": faces[one.label],
            "pending": waiting[one.label],
            "known": classifier is not None and one.label in references,
        }
        for one in shown
    ]
    pages = max(1, -(-len(found) // PAGE_CHARACTERS))
    return render_template("operator/characters.html", rows=rows, total=len(found), pages=pages, **asked)


@blueprint.get("/search")
@blueprint.input(SearchIn, location="query", arg_name="asked")
def complete_name(asked: dict[str, Any]) -> dict[str, Any]:
    """Complete a part of a name: the model's characters and the dataset's."""
    known = find_names()
    found = search_characters(known.characters.values(), asked["query"], "en", asked["limit"])
    return {
        "characters": [
            {"label": one.label, "name": known.say(one.label), "work": one.work_in("en")}
            for one in found
        ]
    }


def count_pending() -> Counter[str]:
    """Count the pending reports of each label, as visitors wrote it."""
    query = (
        select(ReportRow.label, func.count())
        .where(ReportRow.state == ReviewState.PENDING)
        .group_by(ReportRow.label)
    )
    with explain_database_errors(REPORTS), find_review().reports.store.sessions() as session:
        return Counter({label: count for label, count in session.execute(query)})
