"""Packs on the characters page: what one brings is shown, then it is installed; removed; and made.

A pack that is sent is never kept: the page sends it twice, to be shown and to be installed, and the
second time says by its SHA-256 that it is the same. Its size is bounded as that of every body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import String
from apiflask.validators import Length, OneOf
from flask import Response, current_app, request
from flask_babel import gettext as _

from kyara.errors import BadInputError, BundleError, ConflictError, KyaraError
from kyara.recognition.classifier import Classifier
from kyara.recognition.pack_file import read_pack, write_pack
from kyara.recognition.pack_install import (
    Arrival,
    Choice,
    count_arrivals,
    describe_packs,
    hash_collisions,
    install_pack,
    list_taken,
    make_pack,
    preview_pack,
    remove_pack,
    settle,
)
from kyara.recognition.packs import (
    MAX_DETAIL_CHARACTERS,
    MAX_PACK_NAME_CHARACTERS,
    Pack,
    check_pack_name,
)
from kyara.storage.events import TAUGHT
from kyara.web.public.pages import select_language
from kyara.web.serving.model_queue import find_model

MOST_COLLISIONS_SHOWN = 50
PACK_TYPE = "application/octet-stream"

blueprint = APIBlueprint(
    "pack_pages", __name__, url_prefix="/operator/characters/packs", enable_openapi=False
)


class InstallIn(Schema):
    """Which pack was shown, who collided with whom then, and what becomes of them."""

    sha256 = String(required=True, validate=Length(64, 64))
    collided = String(load_default="", validate=Length(max=64))
    collisions = String(load_default="", validate=OneOf(["", *Choice]))


class RemoveIn(Schema):
    """An installed pack."""

    name = String(required=True, validate=Length(1, MAX_PACK_NAME_CHARACTERS))


class MakeIn(Schema):
    """What a new pack says of itself."""

    name = String(required=True, validate=Length(1, MAX_PACK_NAME_CHARACTERS))
    author = String(required=True, validate=Length(1, MAX_DETAIL_CHARACTERS))
    licence = String(required=True, validate=Length(1, MAX_DETAIL_CHARACTERS))


def name_choices() -> dict[str, str]:
    """Return what can become of a character that collides → what it is called in the page's language."""
    return {
        str(Choice.JOIN): _("the same character: add the faces"),
        str(Choice.APART): _("somebody else: keep both"),
        str(Choice.SKIP): _("leave out"),
    }


def describe_card() -> dict[str, Any]:
    """Return what the page shows of packs, none while no model serves, or why they cannot be told."""
    try:
        packs, problem = describe_packs(find_model().classifier), ""
    except BundleError:
        packs, problem = [], ""
    except KyaraError as error:
        packs, problem = [], str(error)
    return {"packs": packs, "packs_problem": problem, "choices": name_choices()}


@blueprint.post("/preview")
def preview() -> dict[str, Any]:
    """Tell what the pack that is the body brings, and whom it collides with; nothing is changed."""
    pack, classifier = _read_body(), find_model().classifier
    arrivals = preview_pack(pack, classifier)
    colliding = [one for one in arrivals if one.collides]
    return {
        **_describe(pack),
        **count_arrivals(arrivals),
        "colliding": len(colliding),
        "collided": hash_collisions(arrivals),
        "collisions": _describe_collisions(colliding[:MOST_COLLISIONS_SHOWN]),
    }


@blueprint.post("/install")
@blueprint.input(InstallIn, location="query", arg_name="wanted")
def install(wanted: dict[str, Any]) -> dict[str, Any]:
    """Install the pack that is the body, if it is the one that was shown."""
    pack, classifier = _read_body(), find_model().classifier
    if pack.sha256 != wanted["sha256"]:
        raise ConflictError("The file is another than the one that was shown; choose it again.")
    arrivals = preview_pack(pack, classifier)
    choices: dict[str, Choice] = {}
    if wanted["collisions"]:
        if wanted["collided"] != hash_collisions(arrivals):
            raise ConflictError("It collides with others than when it was shown; choose the file again.")
        chosen = Choice(wanted["collisions"])
        choices = {one.brought.character.label: chosen for one in arrivals if one.collides}
    settled = settle(pack, arrivals, choices, list_taken(classifier))
    install_pack(classifier, settled)
    current_app.extensions["kyara_events"].publish(TAUGHT)
    return {**_describe(settled), "packs": describe_packs(classifier)}


@blueprint.post("/remove")
@blueprint.input(RemoveIn, location="json", arg_name="wanted")
def remove(wanted: dict[str, Any]) -> dict[str, Any]:
    """Take away what a pack brought."""
    classifier = find_model().classifier
    characters, faces = remove_pack(classifier, wanted["name"])
    current_app.extensions["kyara_events"].publish(TAUGHT)
    return {"characters": characters, "faces": faces, "packs": describe_packs(classifier)}


@blueprint.get("/file")
@blueprint.input(MakeIn, location="query", arg_name="said")
def make(said: dict[str, Any]) -> Response:
    """Download a pack of everything that was taught here."""
    name = check_pack_name(said["name"])
    classifier: Classifier = find_model().classifier
    data = write_pack(make_pack(classifier, name, said["author"], said["licence"]))
    answer = Response(data, mimetype=PACK_TYPE)
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.pack")
    return answer


def _read_body() -> Pack:
    """Read the pack that is the body of the current request.

    Raises:
        BadInputError: it is none.
    """
    if request.mimetype != PACK_TYPE:
        raise BadInputError(f"Send the file itself, as {PACK_TYPE}; received {request.mimetype!r:.80}.")
    return read_pack(request.get_data(cache=False))


def _describe(pack: Pack) -> dict[str, Any]:
    said = {"name": pack.name, "author": pack.author, "licence": pack.licence, "sha256": pack.sha256}
    return {**said, "characters": len(pack.characters), "faces": pack.faces}


def _describe_collisions(arrivals: Sequence[Arrival]) -> list[dict[str, Any]]:
    language = select_language()
    return [
        {
            **one.brought.character.to_json(language),
            "others": [other.to_json(language) for other in one.others],
        }
        for one in arrivals
    ]
