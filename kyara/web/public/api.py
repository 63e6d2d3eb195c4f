"""The HTTP API: identify, characters and its own documentation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from apiflask import APIBlueprint
from flask import render_template

from kyara.errors import TooLargeError
from kyara.recognition.characters import search_characters
from kyara.vision.images import MAX_IMAGE_PIXELS
from kyara.web.crops import decode_crop
from kyara.web.ops.monitoring import count_verdicts
from kyara.web.public.pages import select_language
from kyara.web.schemas import CharactersIn, CharactersOut, IdentifyIn, IdentifyOut
from kyara.web.serving.model_queue import find_model

MAX_REQUEST_PIXELS = 4 * MAX_IMAGE_PIXELS
"""All crops of one request together."""

blueprint = APIBlueprint("api", __name__)


@blueprint.post("/api/identify")
@blueprint.input(IdentifyIn, location="json", arg_name="request_data")
@blueprint.output(IdentifyOut)
@blueprint.doc(summary="Who is in these crops?", responses=[400, 413, 415, 422, 503])
def identify(request_data: dict[str, Any]) -> dict[str, Any]:
    """Answer the most likely characters of 1 to 32 face crops. Crops are never written to disk."""
    started = time.perf_counter()
    language = request_data.get("language") or select_language()
    crops = request_data["crops"]
    with find_model().place(len(crops)) as classifier:
        faces = classifier.identify(decode_crops(crops), top_k=request_data["top_k"])
    count_verdicts(face.verdict for face in faces)
    return {
        "model": {"name": classifier.bundle.name, "version": classifier.bundle.version},
        "faces": [classifier.describe(face, language) for face in faces],
        "took_ms": round((time.perf_counter() - started) * 1000, 1),
    }


def decode_crops(crops: list[str]) -> Iterator[np.ndarray]:
    """Decode one crop at a time, so that only one is unpacked in memory.

    Args:
        crops: data URLs.

    Yields:
        `uint8 (H, W, 3)` sRGB.

    Raises:
        KyaraError: as `decode_crop`, the crops are too large together, or the time is over.
    """
    total, deadline = 0, find_model().find_deadline()
    for index, crop in enumerate(crops):
        deadline.check()
        pixels = decode_crop(crop, index=index)
        total += pixels.shape[0] * pixels.shape[1]
        if total > MAX_REQUEST_PIXELS:
            raise TooLargeError(
                f"The crops have more than {MAX_REQUEST_PIXELS:,} pixels together; send fewer.",
                crop=index,
            )
        yield pixels


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
