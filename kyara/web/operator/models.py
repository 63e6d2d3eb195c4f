"""The models page: what serves, candidates, promotion, rollback, retraining and how far it is.

Learning runs in a process of its own (`storage.jobs`); this page starts it and reads its files. Progress
comes as server-sent events. A stream holds one of the server's few threads, so there are few of them and
each ends soon; the browser connects again, and where no place is free the page asks now and then.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer, String
from apiflask.validators import Length, OneOf, Range
from flask import current_app, render_template
from werkzeug.wrappers import Response

from kyara.errors import BundleError, BusyError, NotFoundError
from kyara.registry import Models
from kyara.registry.candidates import describe_registry, list_bundles, read_comparison_page
from kyara.registry.gate import check_reason
from kyara.registry.promotion import judge_stored, promote_candidate
from kyara.storage.jobs import (
    JobStatus,
    check_free,
    list_jobs,
    read_last_words,
    read_order,
    start_retraining,
)
from kyara.web.operator.guard import find_operator
from kyara.web.serving.process import stopping

RECIPES = ("head", "finetune", "cnn")
MOST_STREAMS = 2
"""At once, a process: the server has few threads, and visitors come first."""
STREAM_S = 15
"""Less than the server waits for requests when it ends."""
LOOK_EVERY_S = 0.5
MOST_JOBS = 20

blueprint = APIBlueprint("model_pages", __name__, url_prefix="/operator/models", enable_openapi=False)
_streams = threading.BoundedSemaphore(MOST_STREAMS)


class PromoteIn(Schema):
    """Which bundle is to serve; a reason forces it past the gate."""

    name = String(required=True, validate=Length(1, 100))
    reason = String(load_default="", validate=Length(max=500))


class RetrainIn(Schema):
    """What to train."""

    name = String(load_default="", validate=Length(max=64))
    recipe = String(load_default=RECIPES[0], validate=OneOf(RECIPES))
    epochs = Integer(load_default=None, allow_none=True, validate=Range(1, 1000))


@blueprint.get("")
def show_models() -> str:
    """Show the page; its script asks for the rest."""
    return render_template("operator/models.html", recipes=RECIPES)


@blueprint.get("/state")
def show_state() -> dict[str, Any]:
    """Tell everything that the page shows."""
    return describe_state()


def describe_state() -> dict[str, Any]:
    """Return the registry, the bundles and the jobs."""
    models = _find_models()
    try:
        registry = describe_registry(models)
    except (BundleError, BusyError) as error:
        registry = {"serving": "", "history": [], "before": "", "problem": str(error)}
    jobs = [_explain_early_end(job).to_json() for job in list_jobs(_find_runs())[:MOST_JOBS]]
    return {**registry, "bundles": list_bundles(models.folder), "jobs": jobs}


def _explain_early_end(job: JobStatus) -> JobStatus:
    """Return a job that ended before it began with what its process said last; others unchanged."""
    if not job.interrupted or job.stage != "waiting" or job.error:
        return job
    return replace(job, error=read_last_words(_find_runs(), job.job))


@blueprint.get("/progress")
def stream_progress() -> Response:
    """Send the state whenever it changes, for some seconds.

    Raises:
        BusyError: enough others are listening.
    """
    if not _streams.acquire(blocking=False):
        raise BusyError("Enough pages are listening already; ask /operator/models/state instead.")
    application = current_app._get_current_object()  # type: ignore[attr-defined]

    def stream() -> Iterator[str]:
        yield "retry: 1000\n\n"
        until, last, pause = time.monotonic() + STREAM_S, "", threading.Event()
        while time.monotonic() < until and not stopping.is_set():
            with application.app_context():
                state = json.dumps(describe_state(), ensure_ascii=False)
            # a comment where nothing changed: by writing the server notices that the page has gone
            yield f"data: {state}\n\n" if state != last else ":\n\n"
            last = state
            pause.wait(LOOK_EVERY_S)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    answer = Response(stream(), mimetype="text/event-stream", headers=headers)
    answer.call_on_close(_streams.release)  # also where nobody reads a word of it, as for HEAD
    return answer


@blueprint.post("/promote")
@blueprint.input(PromoteIn, location="json", arg_name="wanted")
def promote(wanted: dict[str, Any]) -> dict[str, Any]:
    """Make a bundle serve; one that is worse is refused with 409, unless a reason is given."""
    reason = wanted["reason"].strip()
    words = check_reason(bool(reason), reason)
    operator = find_operator()
    bundle = promote_candidate(
        wanted["name"], _find_models(), judge_stored, reason=words, operator=operator
    )
    current_app.logger.info("%s promoted %s (version %s).", operator, bundle.name, bundle.version)
    return describe_state()


@blueprint.post("/rollback")
def take_back() -> dict[str, Any]:
    """Make the bundle serve that served before."""
    bundle = _find_models().roll_back(note={"operator": find_operator()})
    current_app.logger.info("%s rolled back to %s.", find_operator(), bundle.name)
    return describe_state()


@blueprint.post("/retrain")
@blueprint.input(RetrainIn, location="json", arg_name="wanted")
def retrain(wanted: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Start a retraining in a process of its own."""
    recipe = wanted["recipe"]
    job = wanted["name"].strip() or f"{recipe}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    arguments = ["--recipe", recipe, "--dataset", str(Path(current_app.config["DATASET_FOLDER"]))]
    arguments += [
        "--models",
        str(_find_models().folder),
        "--bottlenecks",
        str(_find_runs() / "bottlenecks"),
    ]
    if wanted["epochs"]:
        arguments += ["--epochs", str(wanted["epochs"])]
    check_free(_find_runs(), _find_models().folder, job)
    start_retraining(_find_runs(), job, recipe, arguments)
    return {**describe_state(), "job": job}, 202


@blueprint.post("/jobs/<job>/resume")
def resume(job: str) -> tuple[dict[str, Any], int]:
    """Go on with a job that was killed."""
    order = read_order(_find_runs(), job)
    start_retraining(_find_runs(), job, str(order.get("recipe", "")), ["--resume"])
    return {**describe_state(), "job": job}, 202


@blueprint.get("/comparisons/<name>")
def show_comparison(name: str) -> str:
    """Show a candidate beside the bundle that served when it was made."""
    comparison = read_comparison_page(_find_models().folder, name)
    if comparison is None:
        raise NotFoundError(f"Nobody has compared {ascii(name)[:120]} with anything.")
    return render_template("operator/comparison.html", comparison=comparison)


def _find_models() -> Models:
    return current_app.extensions["kyara_models"]


def _find_runs() -> Path:
    return Path(current_app.config["RUN_FOLDER"])
