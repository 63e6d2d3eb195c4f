"""The HTTP API: identify, characters and its own documentation."""

from __future__ import annotations

import time
from typing import Any

from apiflask import APIBlueprint
from flask import render_template

from kyara.recognition.name_search import find_namesakes, search_characters
from kyara.recognition.ranking import EmbeddedFace, describe_ranking, identify_embedded
from kyara.web.crops import SentCrops
from kyara.web.ops.limits import charge
from kyara.web.ops.monitoring import count_verdicts
from kyara.web.public.pages import select_language
from kyara.web.schemas import CharactersIn, CharactersOut, IdentifyIn, IdentifyOut
from kyara.web.serving.model_queue import find_model

NOT_ANSWERED = {"verdict": "unknown", "answers": []}
"""What stands beside the error of a crop, so that whoever reads answers alone reads on."""

blueprint = APIBlueprint("api", __name__)


@blueprint.post("/api/identify")
@blueprint.input(IdentifyIn, location="json", arg_name="request_data")
@blueprint.output(IdentifyOut)
@blueprint.doc(summary="Who is in these crops?", responses=[400, 413, 415, 422, 503])
def identify(request_data: dict[str, Any]) -> dict[str, Any]:
    """Answer the most likely characters of 1 to 32 face crops. Crops are never written to disk.

    A crop that cannot be read has an `error` in its place, and the others are answered; if none can be
    read, the request is refused with what is wrong with the first.
    """
    started = time.perf_counter()
    language = request_data.get("language") or select_language()
    model, count = find_model(), len(request_data["crops"])
    crops = SentCrops(request_data["crops"], tolerant=True)
    charge(crops.extra_requests)
    embedded: list[EmbeddedFace] = []
    with model.place(count + crops.extra_crops) as classifier:
        decoded, top_k = crops.decode(model.find_deadline()), request_data["top_k"]
        if request_data["embeddings"]:
            embedded = identify_embedded(classifier, decoded, top_k=top_k)
        faces = [one.answers for one in embedded] or classifier.identify(decoded, top_k=top_k)
    crops.check_any()
    count_verdicts(face.verdict for face in faces)
    described = [classifier.describe(face, language) for face in faces]
    bundle = classifier.bundle
    answered: dict[str, Any] = {"name": bundle.name, "version": bundle.version}
    if embedded:
        described = [one.complete(face) for one, face in zip(embedded, described, strict=True)]
        answered |= {"network": classifier.backbone.fingerprint, "ranking": describe_ranking(bundle)}
    said = dict(zip(crops.good, described, strict=True))
    return {
        "model": answered,
        "faces": [
            {**said.get(index, NOT_ANSWERED), **crops.describe_problem(index)} for index in range(count)
        ],
        "took_ms": round((time.perf_counter() - started) * 1000, 1),
    }


@blueprint.get("/api/characters")
@blueprint.input(CharactersIn, location="query", arg_name="query_data")
@blueprint.output(CharactersOut)
@blueprint.doc(summary="Characters that the model knows", responses=[422, 503])
def characters(query_data: dict[str, Any]) -> dict[str, Any]:
    """Complete a name: in any language, order, kana, romaji, pinyin, Han characters and spacing."""
    language = query_data.get("language") or select_language()
    known = find_model().classifier.frozen()
    query, limit = query_data["query"], query_data["limit"]
    if query_data["whole"]:
        found = find_namesakes(known.characters, query, limit)
    else:
        found = search_characters(known.characters, query, language, limit, known.count_references())
    return {"characters": [character.to_json(language) for character in found]}


@blueprint.get("/api/docs")
@blueprint.doc(hide=True)
def docs() -> str:
    """Show the OpenAPI document with Swagger UI, served from here."""
    return render_template("api-docs.html")
