"""Groups of unknown faces of a library of pictures: shown, named, split, put together, undone.

The library is one that `kyara scan` keeps and `kyara groups make` has grouped. A path never comes from a
request: faces are asked for by their numbers, and their pictures are where the library has them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer, List, String
from apiflask.validators import Length, OneOf, Range
from flask import Response, current_app, render_template
from flask_babel import gettext as _
from sqlalchemy import Engine

from kyara.dataset.library.answering import Answerer, answer_anew, count_outdated
from kyara.dataset.library.groups.changes import MOST_CHOSEN
from kyara.dataset.library.groups.cutting import cut_thumbnail, find_faces_by_id
from kyara.dataset.library.groups.deciding import GroupJournal, Outcome
from kyara.dataset.library.groups.naming import choose_character
from kyara.dataset.library.groups.reading import (
    Group,
    State,
    count_ungrouped,
    find_covers,
    find_group,
    list_faces,
    list_groups,
    read_head,
)
from kyara.dataset.library.groups.suggesting import Suggestions, suggest
from kyara.errors import KyaraError, NotFoundError
from kyara.recognition.classifier import Classifier
from kyara.recognition.name_search import KnownNames
from kyara.storage.events import TAUGHT
from kyara.vision.images import encode_png
from kyara.web.operator.guard import find_operator
from kyara.web.operator.schemas import TurnIn, WhoIn
from kyara.web.operator.set_library import DECODING, open_set_library
from kyara.web.public.pages import select_language
from kyara.web.review import find_classifier, find_names
from kyara.web.serving.model_queue import find_model

PAGE_GROUPS = 60
MOST_FACES = 300
"""Of a group, that the page shows."""
ANSWERING_S = 1.5
"""How long one request may answer faces again; the page asks until all are answered."""
STATES = [str(state) for state in State]

blueprint = APIBlueprint("group_pages", __name__, url_prefix="/operator/groups", enable_openapi=False)


class ListIn(Schema):
    """Which groups."""

    state = String(load_default="open", validate=OneOf(STATES))
    limit = Integer(load_default=PAGE_GROUPS, validate=Range(1, 500))


class DecisionIn(TurnIn):
    """What a person says, and the number of the last decision that they saw."""

    groups = List(Integer(), required=True, validate=Length(1, MOST_CHOSEN))


class NameIn(WhoIn, DecisionIn):
    """Who a group shows."""


class SplitIn(DecisionIn):
    """Faces that are taken out of a group."""

    faces = List(Integer(), required=True, validate=Length(1, MOST_CHOSEN))


@blueprint.get("")
@blueprint.input(ListIn, location="query", arg_name="asked")
def show_groups(asked: dict[str, Any]) -> str:
    """Show the page; its scripts ask for the groups."""
    names = {"open": _("Without a name"), "named": _("Named"), "not_a_face": _("Not a face")}
    problem = ""
    try:
        with open_set_library():
            pass
    except KyaraError as error:
        problem = str(error)
    return render_template("operator/groups.html", state=asked["state"], states=names, problem=problem)


@blueprint.get("/list")
@blueprint.input(ListIn, location="query", arg_name="asked")
def list_some(asked: dict[str, Any]) -> dict[str, Any]:
    """List the largest groups in a state, and what the page shows beside them."""
    with open_set_library() as engine:
        found = list_groups(engine, State(asked["state"]))
        some, names = found[: asked["limit"]], find_names()
        covers = find_covers(engine, [group.id for group in some])
        return {
            "groups": [{**_describe(group, names), "cover": covers.get(group.id, 0)} for group in some],
            "total": len(found),
            "ungrouped": count_ungrouped(engine),
            "head": read_head(engine),
            "outdated": _count_outdated(engine),
        }


@blueprint.get("/<int:group>")
def show_group(group: int) -> dict[str, Any]:
    """Return the faces of a group, and whom it may show."""
    classifier = find_classifier()
    with open_set_library() as engine:
        found = find_group(engine, group)
        faces = list_faces(engine, [group])[group]
        suggested = suggest(engine, classifier, [group]) if classifier else {}
        said = suggested.get(group, Suggestions())
        covers = find_covers(engine, [near.id for near in said.groups])
    language, names = select_language(), find_names()
    return {
        **_describe(found, names),
        "faces": faces[:MOST_FACES],
        "asleep": classifier is not None and group not in suggested,
        "suggestions": [
            {**one.character.to_json(language), "confidence": round(one.confidence, 4)}
            for one in said.characters
        ],
        "near": [
            {
                "id": near.id,
                "name": names.say(near.label) if near.label else "",
                "similarity": round(near.similarity, 4),
                "cover": covers[near.id],
            }
            for near in said.groups
            if near.id in covers
        ],
    }


@blueprint.get("/faces/<int:face>")
def show_face(face: int) -> Response:
    """Send a face, cut from its picture."""
    with open_set_library() as engine:
        placed = find_faces_by_id(engine, [face])
    if not placed:
        raise NotFoundError(_("There is no such face any more."))
    with DECODING:
        thumbnail = cut_thumbnail(placed[0])
    return Response(encode_png(thumbnail), mimetype="image/png")


@blueprint.post("/name")
@blueprint.input(NameIn, location="json", arg_name="said")
def name(said: dict[str, Any]) -> dict[str, Any]:
    """Say who a group shows; the model is taught it."""
    character = choose_character(find_names(), said["name"], label=said["label"], work=said["work"])
    return decide(said["seen"], lambda journal: journal.name(said["groups"][0], character))


@blueprint.post("/not-a-face")
@blueprint.input(DecisionIn, location="json", arg_name="said")
def reject(said: dict[str, Any]) -> dict[str, Any]:
    """Say that groups show no faces."""
    return decide(said["seen"], lambda journal: journal.reject(said["groups"]))


@blueprint.post("/merge")
@blueprint.input(DecisionIn, location="json", arg_name="said")
def merge(said: dict[str, Any]) -> dict[str, Any]:
    """Put groups together, into the first."""
    first, *others = said["groups"]
    return decide(said["seen"], lambda journal: journal.merge(first, others))


@blueprint.post("/split")
@blueprint.input(SplitIn, location="json", arg_name="said")
def split(said: dict[str, Any]) -> dict[str, Any]:
    """Take faces out of a group."""
    return decide(said["seen"], lambda journal: journal.split(said["groups"][0], said["faces"]))


@blueprint.post("/undo")
@blueprint.input(TurnIn, location="json", arg_name="said")
def undo(said: dict[str, Any]) -> dict[str, Any]:
    """Take the last decision back."""
    return decide(said["seen"], lambda journal: journal.undo())


@blueprint.post("/redo")
@blueprint.input(TurnIn, location="json", arg_name="said")
def redo(said: dict[str, Any]) -> dict[str, Any]:
    """Do again what was undone last."""
    return decide(said["seen"], lambda journal: journal.redo())


@blueprint.post("/answer")
def answer_some() -> dict[str, Any]:
    """Answer faces again that another model has answered, or one that was taught other things."""
    until = time.monotonic() + ANSWERING_S
    with open_set_library() as engine, find_model().place() as classifier:
        answerer = _find_answerer(classifier)
        for _count in answer_anew(engine, answerer):
            if time.monotonic() > until:
                break
        return {"outdated": count_outdated(engine, answerer)}


def decide(seen: int, act: Callable[[GroupJournal], Outcome]) -> dict[str, Any]:
    """Let a person decide about groups or faces, and return what came of it as the pages read it.

    Args:
        seen: number of the last decision that the person saw.
        act: what to decide.

    Raises:
        KyaraError: as the journal's methods.
    """
    events = current_app.extensions["kyara_events"]
    with open_set_library() as engine, find_model().place() as classifier:
        journal = GroupJournal(
            engine,
            classifier,
            find_operator(),
            seen=seen,
            announce=lambda: events.publish(TAUGHT),
        )
        outcome = act(journal)
        return {
            "action": outcome.action,
            "groups": outcome.groups,
            "told": _tell(outcome),
            "head": read_head(engine),
            "outdated": count_outdated(engine, _find_answerer(classifier)),
        }


def _tell(outcome: Outcome) -> str:
    """Return what is not as it should be."""
    told = []
    if outcome.unread:
        told.append(
            _(
                "%(count)s faces were not taught: their pictures are gone or have changed.",
                count=outcome.unread,
            )
        )
    if outcome.problem:
        told.append(_("The model was not taught: %(reason)s", reason=outcome.problem))
    return " ".join(told)


def _describe(group: Group, names: KnownNames) -> dict[str, Any]:
    named = names.say(group.label) if group.label and group.state == State.NAMED else ""
    return {"id": group.id, "state": str(group.state), "size": group.size, "name": named}


def _count_outdated(engine: Engine) -> int:
    """Count the faces that are to be answered again; none while no model serves."""
    classifier = find_classifier()
    return count_outdated(engine, _find_answerer(find_model().classifier)) if classifier else 0


def _find_answerer(classifier: Classifier) -> Answerer:
    """Return who answers: the model that serves, with what it was taught."""
    return Answerer(classifier.bundle, classifier.find_live().store.place, classifier)
