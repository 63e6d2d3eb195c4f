"""The HTTP API: identify, characters and its own documentation."""

from __future__ import annotations

import time
from typing import Any

from apiflask import APIBlueprint
from flask import render_template

from kyara.recognition.characters import search_characters
from kyara.web.crops import SentCrops
from kyara.web.ops.limits import charge
from kyara.web.ops.monitoring import count_verdicts
from kyara.web.public.pages import select_language
from kyara.web.schemas import CharactersIn, CharactersOut, IdentifyIn, IdentifyOut
from kyara.web.serving.model_queue import find_model

blueprint = APIBlueprint("api", __name__)


@blueprint.post("/api/identify")
@blueprint.input(IdentifyIn, location="json", arg_name="request_data")
@blueprint.output(IdentifyOut)
@blueprint.doc(summary="Who is in these crops?", responses=[400, 413, 415, 422, 503])
def identify(request_data: dict[str, Any]) -> dict[str, Any]:
    """Answer the most likely characters of 1 to 32 face crops. Crops are never written to disk."""
    started = time.perf_counter()
    language = request_data.get("language") or select_language()
    model, count = find_model(), len(request_data["crops"])
    crops = SentCrops(request_data["crops"])
    charge(crops.extra_requests)
    with model.place(count + crops.extra_crops) as classifier:
        faces = classifier.identify(crops.decode(model.find_deadline()), top_k=request_data["top_k"])
    count_verdicts(face.verdict for face in faces)
    return {
        "model": {"name": classifier.bundle.name, "version": classifier.bundle.version},
        "faces": [classifier.describe(face, language) for face in faces],
        "took_ms": round((time.perf_counter() - started) * 1000, 1),
    }


@blueprint.get("/api/characters")
@blueprint.input(CharactersIn, location="query", arg_name="query_data")
@blueprint.output(CharactersOut)
@blueprint.doc(summary="Characters that the model knows", responses=[422, 503])
def characters(query_data: dict[str, Any]) -> dict[str, Any]:
    """Complete a name: matches in any language, whole words and beginnings of names first."""
    language = query_data.get("language") or select_language()
    known = find_model().classifier.characters
    found = search_characters(known, query_data["query"], language, query_data["limit"])
    return {"characters": [character.to_json(language) for character in found]}


@blueprint.get("/api/docs")
@blueprint.doc(hide=True)
def docs() -> str:
    """Show the OpenAPI document with Swagger UI, served from here."""
    return render_template("api-docs.html")
