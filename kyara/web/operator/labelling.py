"""The labelling page and what its scripts ask: faces, pictures, decisions, undo, names, the model.

A decision carries the version of each face that the operator saw; where somebody else was faster it
answers 409 with the faces as they are now. Every action has an id of the page's own, so that sending it
again after a crash does no harm.
"""

from __future__ import annotations

import mimetypes
import subprocess
import threading
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint, APIFlask
from flask import current_app, render_template
from werkzeug.wrappers import Response

from kyara.dataset.review.labelling import JOURNAL_FILE, LabelJournal, make_label
from kyara.dataset.review.labelling.preparing import read_progress, start_preparing
from kyara.dataset.review.steps import ReviewConflictError
from kyara.errors import ConflictError, KyaraError
from kyara.recognition.characters import search_characters
from kyara.web.operator.guard import find_operator
from kyara.web.operator.label_answers import Describer, guess_language
from kyara.web.operator.label_schemas import CharacterIn, DecisionIn, FacesIn, SearchIn, UndoIn
from kyara.web.public.pages import select_language
from kyara.web.serving.model_queue import find_model

blueprint = APIBlueprint("labelling_pages", __name__, url_prefix="/operator/label", enable_openapi=False)


class LabelDesk:
    """The journal of the dataset folder, opened when it is first needed."""

    def __init__(self, dataset: Path) -> None:
        """Take the folder; a journal that is there is opened, which repairs what a crash left."""
        self.dataset = dataset
        self.preparing: subprocess.Popen[bytes] | None = None
        self._journal: LabelJournal | None = None
        self._opening = threading.Lock()
        if (dataset / JOURNAL_FILE).exists():
            try:
                self.open()
            except KyaraError as error:  # the site is still good for everything else
                current_app.logger.error("%s", error)

    def open(self) -> LabelJournal:
        """Return the journal.

        Raises:
            KyaraError: folder or journal cannot be used.
        """
        with self._opening:
            if self._journal is None:
                self._journal = LabelJournal(self.dataset)
            return self._journal

    def close(self) -> None:
        """Close the journal, if it was opened."""
        with self._opening:
            if self._journal is not None:
                self._journal.close()
                self._journal = None


def set_up_labelling(app: APIFlask) -> None:
    """Add the labelling page to an application."""
    with app.app_context():
        app.extensions["kyara_labels"] = LabelDesk(Path(app.config["DATASET_FOLDER"]))
    app.register_blueprint(blueprint)


def find_desk() -> LabelDesk:
    """Return this application's journal of labels."""
    return current_app.extensions["kyara_labels"]


@blueprint.errorhandler(ReviewConflictError)
def answer_conflict(error: ReviewConflictError) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Answer 409 with the faces as they are now."""
    journal = find_desk().open()
    describer = Describer(journal, _find_classifier(), select_language())
    problem = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "faces": [describer.describe_face(state) for state in journal.get_states(error.items)],
        "names": describer.names,
    }
    return problem, error.status, {"Content-Type": "application/problem+json"}


@blueprint.get("")
def show_labelling() -> str:
    """Show the page; its scripts ask for the rest."""
    return render_template("operator/labelling.html")


@blueprint.get("/faces")
@blueprint.input(FacesIn, location="query", arg_name="query")
def list_faces(query: dict[str, Any]) -> dict[str, Any]:
    """List faces without a label, the most useful first, with all that the page shows beside them."""
    describer = Describer(find_desk().open(), _find_classifier(), select_language())
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
    path, data = find_desk().open().read_picture(face)
    return Response(data, mimetype=mimetypes.guess_type(path.name)[0])


@blueprint.post("/decisions")
@blueprint.input(DecisionIn, location="json", arg_name="decision")
def decide(decision: dict[str, Any]) -> dict[str, Any]:
    """Give faces a label, or take it away."""
    journal = find_desk().open()
    states = journal.accept(
        decision["faces"], decision["label"], find_operator(), step=decision["action"]
    )
    return _describe_change(journal, decision["action"], states)


@blueprint.post("/undo")
@blueprint.input(UndoIn, location="json", arg_name="undo")
def take_back(undo: dict[str, Any]) -> dict[str, Any]:
    """Take back one of one's own actions."""
    journal = find_desk().open()
    states = journal.undo(undo["undoes"], find_operator(), step=undo["action"])
    return _describe_change(journal, undo["action"], states)


@blueprint.get("/characters")
@blueprint.input(SearchIn, location="query", arg_name="query")
def complete_name(query: dict[str, Any]) -> dict[str, Any]:
    """Complete a name: the model's characters, and those that operators made."""
    language = select_language()
    describer = Describer(find_desk().open(), _find_classifier(), language)
    known = describer.list_known()
    found = search_characters(known, query["query"], language, query["limit"])
    return {"characters": [character.to_json(language) for character in found]}


@blueprint.post("/characters")
@blueprint.input(CharacterIn, location="json", arg_name="character")
def add_character(character: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Note the name of a new character; a label that is known already is answered with 409."""
    journal, language = find_desk().open(), select_language()
    name, work = character["name"].strip(), character["work"].strip()
    label = character["label"] or make_label(name)
    describer = Describer(journal, _find_classifier(), language)
    for known in describer.list_known():
        if known.label == label:
            raise ConflictError(
                f"The label {label} is {known.name_in(language)}'s already. "
                "If it is somebody else, give a label, such as work/name."
            )
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
    desk, config = find_desk(), current_app.config
    dataset = desk.open().dataset
    if not _describe_preparing()["running"]:
        taught = config["TAUGHT_DATABASE"] or config["DATABASE_URL"]
        desk.preparing = start_preparing(dataset, Path(config["MODEL_FOLDER"]), taught or None)
    return _describe_preparing(), 202


@blueprint.get("/prepare")
def show_preparing() -> dict[str, Any]:
    """Say how far the model is with the inbox."""
    return _describe_preparing()


def _describe_preparing() -> dict[str, Any]:
    desk = find_desk()
    progress = read_progress(desk.dataset)
    status = desk.preparing.poll() if desk.preparing else 0
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


def _describe_change(journal: LabelJournal, action: str, states: list[Any]) -> dict[str, Any]:
    describer = Describer(journal, _find_classifier(), select_language())
    labels = journal.list_labels([state.face for state in states])
    return {
        "action": action,
        "faces": [describer.describe_face(state) for state in states],
        "characters": describer.count_characters(labels),
        "names": describer.names,
    }


def _find_classifier() -> Any:
    """Return the model that serves, as it is now; None while there is none."""
    try:
        return find_model().classifier.frozen()
    except KyaraError:
        return None
