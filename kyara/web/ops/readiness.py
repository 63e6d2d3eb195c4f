"""Does the process live, does a model serve, and should a balancer send requests here?

`/livez`: the process answers; restart it where it does not. `/healthz`: a model serves, and which.
`/readyz`: everything that an answer or a report needs is there, and there is room in the queue.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from kyara.dataset.review.reports import ReportStore
from kyara.errors import KyaraError
from kyara.web.schemas import HealthOut
from kyara.web.serving.model_queue import find_model
from kyara.web.serving.process import stopping

MIN_FREE_BYTES = 16 * 1024 * 1024

logger = logging.getLogger("kyara")
blueprint = APIBlueprint("readiness", __name__)


@blueprint.get("/livez")
@blueprint.doc(summary="Does the process live?")
def livez() -> dict[str, str]:
    """Answer 200 while the process answers at all."""
    return {"status": "ok"}


@blueprint.get("/healthz")
@blueprint.output(HealthOut)
@blueprint.doc(summary="Is a model serving?", responses=[503])
def healthz() -> dict[str, Any]:
    """Answer 200 while a model serves, else 503."""
    classifier = find_model().classifier
    bundle = classifier.bundle
    model = {"name": bundle.name, "version": bundle.version, "characters": len(classifier.characters)}
    return {"status": "ok", "model": model}


@blueprint.get("/readyz")
@blueprint.doc(summary="Should requests be sent here?", responses=[503])
def readyz() -> tuple[dict[str, Any], int]:
    """Answer 200 while all that is needed is there; 503 says what is not."""
    checks = {name: _run_check(name, check) for name, check in CHECKS.items()}
    ready = all(found == "ok" for found in checks.values())
    return {"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503


def _run_check(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    except (KyaraError, SQLAlchemyError, OSError) as error:
        logger.warning("Not ready (%s): %s", name, error)
        return "failed"


def _check_process() -> str:
    return "stopping" if stopping.is_set() else "ok"


def _check_model() -> str:
    return "ok" if find_model().classifier else "failed"


def _check_queue() -> str:
    return "full" if find_model().count().full else "ok"


def _check_report_database() -> str:
    store: ReportStore = current_app.extensions["kyara_reports"]
    with store.sessions() as session:
        session.execute(text("SELECT 1 FROM reports LIMIT 1"))
    return "ok"


def _check_report_files() -> str:
    store: ReportStore = current_app.extensions["kyara_reports"]
    store.check_files()
    folder = store.folder
    if not os.access(folder, os.W_OK):
        return "cannot be written"
    return "ok" if shutil.disk_usage(folder).free >= MIN_FREE_BYTES else "full"


def _check_operators() -> str:
    current_app.extensions["kyara_accounts"].exist()
    return "ok"


CHECKS: Mapping[str, Callable[[], str]] = {
    "process": _check_process,
    "model": _check_model,
    "queue": _check_queue,
    "report_database": _check_report_database,
    "report_files": _check_report_files,
    "operators": _check_operators,
}
