"""`POST /api/explain`: what a crop's answer rests on, as a heat map, and the nearest references."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apiflask import APIBlueprint

from kyara.errors import BusyError
from kyara.recognition.explain import check_method, describe_explanation, explain_crop
from kyara.web.crops import SentCrops
from kyara.web.ops.limits import charge
from kyara.web.public.pages import select_language
from kyara.web.schemas import ExplainIn, ExplainOut
from kyara.web.serving.model_queue import find_model

EXPLANATION_SIZE = 50
"""How many crops' work an explanation is, for the queue."""

blueprint = APIBlueprint("explanations", __name__)
# One explanation runs the network as often as fifty answers: those who ask for answers must get a turn.
_explainers = threading.BoundedSemaphore(2)


@contextmanager
def explainer() -> Iterator[None]:
    """Hold one of the two places for explanations.

    Raises:
        BusyError: both are taken.
    """
    if not _explainers.acquire(blocking=False):
        raise BusyError(
            "Several people are asking why at once. Please try again in a few seconds.",
            reason="explaining",
        )
    try:
        yield
    finally:
        _explainers.release()


@blueprint.post("/api/explain")
@blueprint.input(ExplainIn, location="json", arg_name="request_data")
@blueprint.output(ExplainOut)
@blueprint.doc(summary="Why this answer?", responses=[400, 413, 415, 422, 503])
def explain(request_data: dict[str, Any]) -> dict[str, Any]:
    """Draw which places of a crop speak for an answer. The crop is never written to disk."""
    started = time.perf_counter()
    method = request_data["method"]
    check_method(method)
    language = request_data.get("language") or select_language()
    model, crop = find_model(), SentCrops([request_data.pop("crop")], numbered=False)
    charge(crop.extra_requests)
    with explainer(), model.place(EXPLANATION_SIZE + crop.extra_crops) as classifier:
        pixels = crop.decode_one(model.find_deadline())
        moment = classifier.frozen()
        explanation = explain_crop(moment, pixels, request_data.get("label"), method)
        size = pixels.shape[1], pixels.shape[0]
        answer = describe_explanation(explanation, moment, size, language, classifier.draw_thumbnail)
    return {**answer, "took_ms": round((time.perf_counter() - started) * 1000, 1)}
