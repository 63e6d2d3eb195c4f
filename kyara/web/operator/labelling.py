"""What the review page asks about collected faces: faces, pictures, decisions, undo, names, the model.

A decision carries the version of each face that the operator saw; where somebody else was faster it
answers 409 with the faces as they are now. Every action has an id of the page's own, so that sending it
again after a crash does no harm.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

import numpy as np
from apiflask import APIBlueprint
from flask import current_app
from werkzeug.wrappers import Response

from kyara.dataset.review.labelling import LabelJournal, make_label
from kyara.dataset.review.labelling.preparing import read_progress, start_preparing
from kyara.dataset.review.steps import ReviewConflictError
from kyara.recognition.name_search import search_characters
from kyara.vision.images import ENOUGH_PX, decode_image
from kyara.vision.languages import guess_language
from kyara.vision.picture_files import FILE_FORMATS
from kyara.web.operator.guard import find_operator
from kyara.web.operator.known_now import follow_decision
from kyara.web.operator.label_answers import Describer, refuse_known
from kyara.web.operator.schemas import CharacterIn, DecisionIn, FacesIn, LabelSearchIn, UndoIn
from kyara.web.problems import answer_stale
from kyara.web.public.pages import select_language
from kyara.web.review import find_classifier, find_review

blueprint = APIBlueprint("labelling_pages", __name__, url_prefix="/operator/label", enable_openapi=False)


@blueprint.errorhandler(ReviewConflictError)
def answer_conflict(error: ReviewConflictError) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Answer 409 with the faces as they are now."""
    journal = find_review().open_faces()
    describer = Describer(journal, find_classifier(), select_language())
    faces = [describer.describe_face(state) for state in journal.get_states(error.items)]
    return answer_stale(error, {"faces": faces, "names": describer.names})


@blueprint.get("/faces")
@blueprint.input(FacesIn, location="query", arg_name="query")
def list_faces(query: dict[str, Any]) -> dict[str, Any]:
    """List faces without a label, the most useful first, with all that the page shows beside them."""
    describer = Describer(find_review().open_faces(), find_classifier(), select_language())
    return {
        **describer.describe_inbox(query["limit"]),
        "characters": describer.count_characters(),
        "history": describer.list_history(find_operator()),
        "preparing": _describe_preparing(),
        "names": describer.names,
    }


@blueprint.get("/pictures/<face>")
def show_picture(face: str) -> Response:
    """Send a face's picture, wherever it lies now."""
    path, data = find_review().open_faces().read_picture(face)
    return Response(data, mimetype=mimetypes.guess_type(path.name)[0])


@blueprint.post("/decisions")
@blueprint.input(DecisionIn, location="json", arg_name="decision")
def decide(decision: dict[str, Any]) -> dict[str, Any]:
    """Give faces a label, or take it away."""
    journal = find_review().open_faces()
    states = journal.accept(
        decision["faces"], decision["label"], find_operator(), step=decision["action"]
    )
    return _describe_change(journal, decision["action"], states, known=decision["known"])


@blueprint.post("/undo")
@blueprint.input(UndoIn, location="json", arg_name="undo")
def take_back(undo: dict[str, Any]) -> dict[str, Any]:
    """Take back one of one's own actions."""
    journal = find_review().open_faces()
    states = journal.undo(undo["undoes"], find_operator(), step=undo["action"])
    return _describe_change(journal, undo["action"], states)


@blueprint.get("/characters")
@blueprint.input(LabelSearchIn, location="query", arg_name="query")
def complete_name(query: dict[str, Any]) -> dict[str, Any]:
    """Complete a name: the model's characters, and those that operators made."""
    language, classifier = select_language(), find_classifier()
    known = Describer(find_review().open_faces(), classifier, language).list_known()
    references = classifier.count_references() if classifier else {}
    found = search_characters(known, query["query"], language, query["limit"], references)
    return {"characters": [character.to_json(language) for character in found]}


@blueprint.post("/characters")
@blueprint.input(CharacterIn, location="json", arg_name="character")
def add_character(character: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Note the name of a new character; a label that is known already is answered with 409."""
    journal, language = find_review().open_faces(), select_language()
    name, work = character["name"].strip(), character["work"].strip()
    label = character["label"] or make_label(name)
    describer = Describer(journal, find_classifier(), language)
    everybody = describer.list_known()
    refuse_known(everybody, label, "" if character["label"] else name, language)
    made = journal.add_character(
        label,
        find_operator(),
        {guess_language(name): name},
        {guess_language(work): work} if work else {},
    )
    return made.to_json(language), 201


@blueprint.post("/prepare")
def prepare() -> tuple[dict[str, Any], int]:
    """Have the model look at the inbox, in a process of its own."""
    review, config = find_review(), current_app.config
    dataset = review.open_faces().dataset
    if not _describe_preparing()["running"]:
        taught = config["TAUGHT_DATABASE"] or config["DATABASE_URL"]
        review.preparing = start_preparing(dataset, Path(config["MODEL_FOLDER"]), taught or None)
    return _describe_preparing(), 202


@blueprint.get("/prepare")
def show_preparing() -> dict[str, Any]:
    """Say how far the model is with the inbox."""
    return _describe_preparing()


def _describe_preparing() -> dict[str, Any]:
    review = find_review()
    progress = read_progress(review.dataset)
    status = review.preparing.poll() if review.preparing else 0
    error = progress.error
    if status and not error:
        error = f"The model's process ended with status {status}."
    running = progress.running or status is None
    return {
        "running": running,
        "done": progress.done,
        "total": progress.total,
        "error": "" if running else error,
    }


def _describe_change(
    journal: LabelJournal, action: str, states: list[Any], *, known: bool = False
) -> dict[str, Any]:
    def read_crop(face: str) -> np.ndarray:
        picture = journal.read_picture(face)[1]
        return decode_image(picture, formats=FILE_FORMATS, enough_px=ENOUGH_PX)

    followed = follow_decision(journal, [state.face for state in states], read_crop, known=known)
    describer = Describer(journal, find_classifier(), select_language())
    labels = journal.list_labels([state.face for state in states])
    return {
        "action": action,
        "faces": [describer.describe_face(state) for state in states],
        "characters": describer.count_characters(labels),
        "names": describer.names,
        **followed,
    }
