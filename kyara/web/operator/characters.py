"""The list of characters: who is known, by what, and how much there is of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer, List, String
from apiflask.validators import Length, Range
from flask import current_app, render_template, url_for
from sqlalchemy import func, select

from kyara.dataset.names import count_faces
from kyara.dataset.review.labelling import make_label
from kyara.dataset.review.reports.tables import REPORTS, ReportRow
from kyara.dataset.review.tables import ReviewState
from kyara.recognition.characters import Character, check_label
from kyara.recognition.enrolment import MAX_TAUGHT_CROPS
from kyara.recognition.enrolment_store import PACKED
from kyara.recognition.name_search import KnownNames, search_characters
from kyara.storage.database import explain_database_errors
from kyara.storage.events import TAUGHT
from kyara.vision.languages import LANGUAGES, guess_language
from kyara.web.crops import SentCrops
from kyara.web.operator.known_now import teach_crops
from kyara.web.operator.label_answers import refuse_known
from kyara.web.operator.packs import describe_card
from kyara.web.operator.schemas import SearchIn, WhoIn
from kyara.web.ops.limits import charge
from kyara.web.public.characters import Part
from kyara.web.public.pages import find_preprocessing, script_urls, select_language
from kyara.web.review import find_classifier, find_names, find_review
from kyara.web.serving.model_queue import find_model

PAGE_CHARACTERS = 50

blueprint = APIBlueprint(
    "character_pages", __name__, url_prefix="/operator/characters", enable_openapi=False
)


class LessonIn(WhoIn):
    """Pictures of a character."""

    crops = List(String(), required=True, validate=Length(min=1, max=MAX_TAUGHT_CROPS))


class ForgetIn(Schema):
    """A taught reference."""

    label = String(required=True, validate=Length(1, 200))
    reference = String(required=True, validate=Length(1, 20))


class ListIn(Schema):
    """A part of the list."""

    query = String(load_default="", validate=Length(max=100))
    page = Integer(load_default=1, validate=Range(min=1, max=100_000))


@blueprint.get("")
@blueprint.input(ListIn, location="query", arg_name="asked")
def show_characters(asked: dict[str, Any]) -> str:
    """Show characters with their names, references, and counts; `query` narrows the list."""
    known = find_names()
    classifier = find_classifier()
    references = Counter(classifier.count_references()) if classifier else Counter()
    everybody = known.characters.values()
    found = search_characters(everybody, asked["query"], select_language(), len(everybody), references)
    part = Part.of(found, asked["page"], PAGE_CHARACTERS)
    taught = classifier.taught if classifier else {}
    faces = count_faces(Path(current_app.config["DATASET_FOLDER"]))
    waiting = count_pending()
    rows = [
        {
            "label": one.label,
            "names": {code: one.name[code] for code in LANGUAGES if one.name.get(code)},
            "work": one.work_in(select_language()),
            "references": references[one.label],
            "taught": len(taught.get(one.label, ())),
            "faces": faces[one.label],
            "pending": waiting[one.label],
            "known": classifier is not None and one.label in references,
        }
        for one in part.entries
    ]
    return render_template(
        "operator/characters.html",
        rows=rows,
        total=part.total,
        pages=part.pages,
        most_crops=MAX_TAUGHT_CROPS,
        urls=script_urls(),
        preprocessing=find_preprocessing(),
        **describe_card(),
        **asked,
    )


@blueprint.get("/search")
@blueprint.input(SearchIn, location="query", arg_name="asked")
def complete_name(asked: dict[str, Any]) -> dict[str, Any]:
    """Complete a part of a name: the model's characters and the dataset's."""
    known, classifier = find_names(), find_classifier()
    references = classifier.count_references() if classifier else {}
    everybody = known.characters.values()
    language = select_language()
    found = search_characters(everybody, asked["query"], language, asked["limit"], references)
    return {
        "characters": [
            {"label": one.label, "name": known.say(one.label), "work": one.work_in(language)}
            for one in found
        ]
    }


@blueprint.post("/teach")
@blueprint.input(LessonIn, location="json", arg_name="lesson")
def teach(lesson: dict[str, Any]) -> dict[str, Any]:
    """Make pictures references of a character, old or new; it is answered from then on."""
    count, everybody = len(lesson["crops"]), find_names()
    sent = SentCrops(lesson["crops"])  # it leaves the list empty
    charge(sent.extra_requests)
    label = lesson["label"] or make_label(lesson["name"])
    if label not in everybody.characters or not lesson["label"]:
        everybody = _add_new(lesson, label, everybody)
    crops = sent.decode(find_model().find_deadline())
    told = teach_crops(label, crops, everybody, count + sent.extra_crops)
    return {"label": label, "name": everybody.say(label), "told": told, **_list_taught(label)}


@blueprint.post("/forget")
@blueprint.input(ForgetIn, location="json", arg_name="wanted")
def forget(wanted: dict[str, Any]) -> dict[str, Any]:
    """Take one taught reference back."""
    find_model().classifier.forget(wanted["label"], wanted["reference"])
    current_app.extensions["kyara_events"].publish(TAUGHT)
    return _list_taught(wanted["label"])


def _add_new(lesson: dict[str, Any], label: str, everybody: KnownNames) -> KnownNames:
    """Return everybody with a new character among them.

    Raises:
        ConflictError: as `refuse_known`.
    """
    name, work = lesson["name"].strip(), lesson["work"].strip()
    characters = list(everybody.characters.values())
    refuse_known(characters, label, "" if lesson["label"] else name, select_language())
    texts = {guess_language(work): work} if work else {}
    new = Character(check_label(label), {guess_language(name): name} if name else {}, texts)
    return replace(everybody, characters={**everybody.characters, label: new})


def _list_taught(label: str) -> dict[str, Any]:
    """Return the taught references of a character, each with where its picture is."""
    shown = [
        {"id": reference, "picture": url_for("report_pages.show_reference", taught=reference)}
        for reference in find_model().classifier.taught.get(label, [])
        if not reference.startswith(PACKED)
    ]
    return {"references": shown}


def count_pending() -> Counter[str]:
    """Count the pending reports of each label, as visitors wrote it."""
    query = (
        select(ReportRow.label, func.count())
        .where(ReportRow.state == ReviewState.PENDING)
        .group_by(ReportRow.label)
    )
    with explain_database_errors(REPORTS), find_review().reports.store.sessions() as session:
        return Counter({label: count for label, count in session.execute(query)})
