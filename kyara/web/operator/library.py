"""The library of pictures, searched by character, work, several together, or a face; and what is chosen.

The library is one that `kyara scan` keeps. Pictures and faces are asked for by their numbers: a path
comes from the library alone.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Float, Integer, List, String
from apiflask.validators import Length, OneOf, Range
from flask import Response, render_template
from flask_babel import gettext as _

from kyara.dataset.library.contents import count_library
from kyara.dataset.library.describing import describe_picture
from kyara.dataset.library.export.table import write_table
from kyara.dataset.library.finding import Hit, Wanted, find_page, show_near
from kyara.dataset.library.groups.changes import MOST_CHOSEN
from kyara.dataset.library.groups.naming import choose_character
from kyara.dataset.library.groups.reading import read_head
from kyara.dataset.library.reading import Library, LibraryFace
from kyara.dataset.library.searching import rank_pictures, read_face
from kyara.errors import BadInputError, KyaraError, NotFoundError
from kyara.recognition.characters import Character, choose_text, name_after_label
from kyara.recognition.name_search import KnownNames, search_characters
from kyara.storage.paths import show_path
from kyara.web.crops import SentCrops
from kyara.web.operator.groups import decide
from kyara.web.operator.schemas import SearchIn, TurnIn, WhoIn
from kyara.web.operator.set_library import open_set_library
from kyara.web.operator.sought import MAX_CHARACTERS, read_sought, write_sought
from kyara.web.ops.limits import charge
from kyara.web.public.pages import find_preprocessing, script_urls, select_language
from kyara.web.review import find_names
from kyara.web.serving.admission import Admission
from kyara.web.serving.model_queue import find_model

PAGE_PICTURES = 60
MOST_CHARACTERS = 6
"""Who are looked for together."""
MOST_NEAR = 600
"""Pictures that are found by a face."""
MOST_FREQUENT = 24
"""Characters that the page offers before anything is asked."""
MOST_WORKS = 300
"""Titles that are offered while a work is typed."""
turns = Admission(1, 4)
"""A search by a face reads the embeddings of all faces: one at a time, and three wait."""

blueprint = APIBlueprint("library_pages", __name__, url_prefix="/operator/library", enable_openapi=False)


class PicturesIn(Schema):
    """Whom to look for; or `like`, or `face`, which stand alone."""

    who = List(String(validate=Length(1, 200)), load_default=list, validate=Length(max=MOST_CHARACTERS))
    work = String(load_default="", validate=Length(max=100))
    least = Float(load_default=0.0, validate=Range(0, 1))
    like = String(load_default="", validate=Length(max=MAX_CHARACTERS))
    face = Integer(load_default=None, validate=Range(1))
    page = Integer(load_default=1, validate=Range(1, 1_000_000))


class CropIn(Schema):
    """The crop of a face that is sought."""

    crop = String(required=True)


class ListIn(Schema):
    """Pictures that were chosen, and how to write them down."""

    pictures = List(Integer(), required=True, validate=Length(1, MOST_CHOSEN))
    format = String(load_default="csv", validate=OneOf(["csv", "json"]))


class SayIn(WhoIn, TurnIn):
    """Who faces show, and the number of the last decision that the person saw."""

    faces = List(Integer(), required=True, validate=Length(1, MOST_CHOSEN))
    nobody = Boolean(load_default=False)


@blueprint.get("")
def show_library() -> str:
    """Show the page; its scripts search."""
    problem = ""
    try:
        with open_set_library():
            pass
    except KyaraError as error:
        problem = str(error)
    return render_template(
        "operator/library.html",
        problem=problem,
        urls=script_urls(),
        preprocessing=find_preprocessing(),
        most_characters=MOST_CHARACTERS,
    )


@blueprint.get("/overview")
def show_overview() -> dict[str, Any]:
    """Count what the library holds, and list who is in the most pictures, and the works."""
    language = select_language()
    with open_set_library() as engine:
        library = Library(engine)
        frequent = library.count_characters(MOST_FREQUENT)
        characters = library.read_characters()
        counts = count_library(engine)
    works = {choose_text(one.work, language) for one in characters.values()} - {""}
    known = KnownNames.of(characters.values(), language=language)
    return {
        **counts,
        "frequent": [
            {"label": label, "name": known.say(label), "pictures": count} for label, count in frequent
        ],
        "works": sorted(works)[:MOST_WORKS],
    }


@blueprint.get("/characters")
@blueprint.input(SearchIn, location="query", arg_name="asked")
def complete_name(asked: dict[str, Any]) -> dict[str, Any]:
    """Complete a part of a name: whoever is in the library."""
    language = select_language()
    with open_set_library() as engine:
        everybody = _read_everybody(Library(engine))
    found = search_characters(everybody.values(), asked["query"], language, asked["limit"])
    return {"characters": [_describe_character(one) for one in found]}


@blueprint.get("/search")
@blueprint.input(PicturesIn, location="query", arg_name="asked")
def search(asked: dict[str, Any]) -> dict[str, Any]:
    """Find a page of pictures."""
    start = (asked["page"] - 1) * PAGE_PICTURES
    by_name = bool(asked["who"] or asked["work"].strip() or asked["least"])
    if by_name + bool(asked["like"]) + (asked["face"] is not None) > 1:
        raise BadInputError("Look for names, or for a face: not for both at once.")
    with open_set_library() as engine:
        library = Library(engine)
        characters: list[Character] = []
        if asked["like"] or asked["face"] is not None:
            hits, total = _find_near(library, asked, start)
        else:
            characters = _resolve(library, asked["who"])
            labels = tuple(one.label for one in characters)
            wanted = Wanted(labels, asked["work"].strip(), asked["least"])
            hits, total = find_page(library, wanted, start, PAGE_PICTURES)
        head = read_head(engine)
    return {
        "pictures": [_describe_hit(hit) for hit in hits],
        "total": total,
        "page": asked["page"],
        "pages": max(1, math.ceil(total / PAGE_PICTURES)),
        "first": start + 1,
        "characters": [_describe_character(one) for one in characters],
        "head": head,
    }


@blueprint.post("/like")
@blueprint.input(CropIn, location="json", arg_name="sent")
def look_at_face(sent: dict[str, Any]) -> dict[str, Any]:
    """Turn the crop of a face into what `search` takes as `like`; nothing of it is kept."""
    crops = SentCrops([sent["crop"]], numbered=False)
    charge(crops.extra_requests)
    model = find_model()
    with model.place(1 + crops.extra_crops) as classifier:
        pixels = crops.decode_one(model.find_deadline())
        embedding = classifier.backbone.extract([pixels])[0]
    return {"like": write_sought(np.asarray(embedding), classifier.backbone.fingerprint)}


@blueprint.post("/list")
@blueprint.input(ListIn, location="json", arg_name="chosen")
def write_list(chosen: dict[str, Any]) -> Response:
    """Write down pictures that were chosen, in their order: a row a face as CSV, or JSON."""
    language = select_language()
    with open_set_library() as engine:
        found = Library(engine).read_named(chosen["pictures"])
    pictures = [found[number] for number in dict.fromkeys(chosen["pictures"]) if number in found]
    if not pictures:
        raise NotFoundError(_("These pictures are not in the library any more."))
    if chosen["format"] == "csv":
        text = write_table(pictures, lambda picture: show_path(picture.path), language)
        kind = "text/csv; charset=utf-8"
    else:
        described = {"pictures": [describe_picture(picture, language) for picture in pictures]}
        text = json.dumps(described, ensure_ascii=False, indent=1) + "\n"
        kind = "application/json"
    headers = {"Content-Disposition": f"attachment; filename=kyara-library.{chosen['format']}"}
    return Response(text, content_type=kind, headers=headers)


@blueprint.post("/say")
@blueprint.input(SayIn, location="json", arg_name="said")
def say(said: dict[str, Any]) -> dict[str, Any]:
    """Say who faces show, or that they are none; undone and redone by the calls of groups."""
    character = None
    if not said["nobody"]:
        character = choose_character(find_names(), said["name"], label=said["label"], work=said["work"])
    return decide(said["seen"], lambda journal: journal.say(said["faces"], character))


def _find_near(library: Library, asked: dict[str, Any], start: int) -> tuple[list[Hit], int]:
    """Return a page of the pictures whose faces are nearest to one, and how many are found."""
    model = find_model()
    if asked["face"] is not None:
        embedding, network = read_face(library, asked["face"])
    else:
        backbone = model.classifier.backbone
        network = backbone.fingerprint
        embedding = read_sought(asked["like"], network, backbone.dimension)
    deadline = model.find_deadline()
    with turns.hold(deadline):
        near = rank_pictures(library, embedding, network, MOST_NEAR, deadline.check)
    return show_near(library, near[start : start + PAGE_PICTURES]), len(near)


def _read_everybody(library: Library) -> dict[str, Character]:
    """Return whoever is in the library; the model's are as it has them: it keeps how they are spelt."""
    known = find_names().characters
    return {label: known.get(label, own) for label, own in library.read_characters().items()}


def _resolve(library: Library, texts: list[str]) -> list[Character]:
    """Return who is meant by labels or names.

    Raises:
        NotFoundError: nobody in the library, or several.
    """
    if not texts:
        return []
    everybody, found = _read_everybody(library), []
    known = KnownNames.of(everybody.values())
    for text in texts:
        label = known.resolve(text.strip())
        if label is None:
            raise NotFoundError(
                _("Nobody in this library is called “%(name)s”, or several are.", name=text.strip())
            )
        found.append(everybody[label])
    return found


def _describe_character(character: Character) -> dict[str, Any]:
    language = select_language()
    name = choose_text(character.name, language) or name_after_label(character.label)["en"]
    return {"label": character.label, "name": name, "work": choose_text(character.work, language)}


def _describe_hit(hit: Hit) -> dict[str, Any]:
    picture = hit.picture
    return {
        "id": picture.id,
        "path": show_path(picture.path),
        "file": show_path(picture.path.name),
        "width": picture.width,
        "height": picture.height,
        "measure": None if hit.measure is None else _round(hit.measure),
        "faces": [_describe_face(face, face.id in hit.meant) for face in picture.faces],
    }


def _describe_face(face: LibraryFace, is_meant: bool) -> dict[str, Any]:
    language = select_language()
    name = choose_text(face.names, language) or (face.label and name_after_label(face.label)["en"]) or ""
    return {
        "id": face.id,
        "box": list(face.box),
        "meant": is_meant,
        "label": face.label,
        "name": name,
        "work": choose_text(face.work, language),
        "confidence": _round(face.confidence),
        "status": face.status,
    }


def _round(measure: float) -> float:
    """Return a measure with four digits; what is below 1 stays below it."""
    return 1.0 if measure >= 1 else min(round(measure, 4), 0.9999)
