"""The Flask application factory: wiring, headers, errors. No model code.

    flask --debug run                     development
    gunicorn --threads 8 'app:create_app()'   what `make run` does

Every configuration key NAME is read from the environment as KYARA_NAME.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import render_template, request
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException, UnsupportedMediaType
from werkzeug.middleware.proxy_fix import ProxyFix

import kyara
from kyara.accounts.tables import INSTANCE_FOLDER
from kyara.errors import (
    BadInputError,
    BusyError,
    KyaraError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
)
from kyara.events import Events
from kyara.files import Files, open_files
from kyara.registry import MODEL_FOLDER, find_taught, open_models
from kyara.reports import ReportStore
from kyara.web import api, explanations, operator, pages, readiness, reports
from kyara.web.assets import set_up_assets
from kyara.web.headers import set_up_headers
from kyara.web.limits import DEFAULT_LIMITS, explain_breach, set_up_limits
from kyara.web.logs import find_request_id, set_up_logs
from kyara.web.model_queue import ModelQueue, set_up_queue
from kyara.web.model_watch import ModelWatch
from kyara.web.monitoring import count_refusal, set_up_monitoring
from kyara.web.openapi import complete_document
from kyara.web.operator_pages import set_up_operator_pages
from kyara.web.operator_pages.labelling import set_up_labelling
from kyara.web.operator_pages.models import set_up_models
from kyara.web.schemas import ProblemOut

ROOT = Path(__file__).resolve().parent
DEFAULTS: Mapping[str, Any] = {
    "MAX_CONTENT_LENGTH": 8 * 1024 * 1024,
    "MODEL_FOLDER": str(MODEL_FOLDER),
    "DATABASE_URL": "",
    "TAUGHT_DATABASE": "",
    "OPERATOR_TOKEN": "",
    "OPERATOR_DATABASE_URL": "",
    "INSTANCE_FOLDER": str(INSTANCE_FOLDER),
    "SECRET_KEY": "",
    "SESSION_COOKIE_SECURE": False,
    "TRUSTED_PROXIES": 0,
    "HSTS_SECONDS": 0,
    "RATE_LIMITS": DEFAULT_LIMITS,
    "REDIS_URL": "",
    "MAX_QUEUED": 40,
    "MAX_RUNNING": 0,
    "REQUEST_DEADLINE_S": 10,
    "LOG_FORMAT": "text",
    "METRICS": "loopback",
    "METRICS_TOKEN": "",
    "DATASET_FOLDER": str(ROOT / "dataset"),
    "RUN_FOLDER": str(ROOT / "runs"),
    "REPORT_FOLDER": str(ROOT / "user_report"),
    "REPORT_DATABASE_URL": "",
    "CACHE_FOLDER": "",
    "FILES_URL": "",
    "FILES_ENDPOINT_URL": "",
    "REPORT_VOTE": False,
    "REPORT_QUOTA_BYTES": 2 * 1024**3,
    "REPORT_SENDER_QUOTA": 500,
    "BOOTSTRAP_SERVE_LOCAL": True,
    "BABEL_DEFAULT_LOCALE": "en",
    "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "translations"),
    "AUTO_404_RESPONSE": False,
    "VALIDATION_ERROR_STATUS_CODE": 422,
}
MAX_DETAIL_CHARACTERS = 600
DESCRIPTION = "Who is this anime character? Send face crops, get the most likely characters."

logger = logging.getLogger("kyara")


def create_app(config: Mapping[str, Any] | None = None) -> APIFlask:
    """Build the application.

    Args:
        config: overrides of `DEFAULTS`; they win over KYARA_* in the environment.

    Returns:
        A ready WSGI application. Without a usable model it starts all the same and answers 503.
    """
    app = APIFlask(
        __name__, title="Kyara", version=kyara.__version__, spec_path="/api/openapi.json", docs_path=None
    )
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env("KYARA")
    app.config.update(config or {})
    app.config["DESCRIPTION"] = DESCRIPTION
    app.config["HTTP_ERROR_SCHEMA"] = ProblemOut
    app.config["VALIDATION_ERROR_SCHEMA"] = ProblemOut
    set_up_logs(app.config["LOG_FORMAT"])
    set_up_monitoring(app)  # first, so that a request has its id before anybody refuses it
    set_up_headers(app)
    set_up_limits(app)
    Bootstrap5(app)
    set_up_assets(app)
    Babel(app, locale_selector=pages.select_locale)
    app.extensions["kyara_model"] = _load_model(app)
    app.extensions["kyara_reports"] = ReportStore(
        Path(app.config["REPORT_FOLDER"]),
        app.config["REPORT_DATABASE_URL"] or app.config["DATABASE_URL"] or None,
        quota_bytes=app.config["REPORT_QUOTA_BYTES"],
        files_in=_open_files(app, "user_report", "REPORT_FOLDER"),
        patient=True,  # the site is still good for everything else
    )
    for module in (pages, api, explanations, reports, readiness):
        app.register_blueprint(module.blueprint)
    if operator.check_token(app.config["OPERATOR_TOKEN"]):
        app.config["SECURITY_SCHEMES"] = operator.SECURITY_SCHEMES
        app.register_blueprint(operator.blueprint)
    set_up_operator_pages(app)
    set_up_labelling(app)
    set_up_models(app)
    if proxies := app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)
    set_up_queue(app)
    app.before_request(_require_json)
    app.spec_processor(complete_document)
    _register_errors(app)
    return app


def _open_files(app: APIFlask, name: str, folder_key: str) -> Files:
    config = app.config
    return open_files(config["FILES_URL"], name, Path(config[folder_key]), config["FILES_ENDPOINT_URL"])


def _load_model(app: APIFlask) -> ModelQueue:
    folder = Path(app.config["MODEL_FOLDER"])
    taught = find_taught(
        folder, place=app.config["TAUGHT_DATABASE"], database_url=app.config["DATABASE_URL"]
    )
    queue = ModelQueue(
        None,
        "",
        app.config["MAX_QUEUED"],
        running_places=app.config["MAX_RUNNING"],
        deadline_s=app.config["REQUEST_DEADLINE_S"],
    )
    events = app.extensions["kyara_events"] = Events(app.config["REDIS_URL"])
    models = app.extensions["kyara_models"] = open_models(folder, app.config, events)
    watch = ModelWatch(queue, models, taught, events)
    queue.on_use = watch.start  # again in a worker that was forked off
    watch.start()
    return queue


def _require_json() -> None:
    """Refuse bodies of another type: a form on a strange site cannot post here."""
    if not request.path.startswith("/api/") or request.method != "POST":
        return
    if not request.is_json:
        raise UnsupportedMediaType(
            f"The body must be application/json; received {request.mimetype or 'no content type'}."
        )
    try:
        json.loads(request.get_data())
    except RecursionError as error:  # webargs, which parses it for the routes, knows neither of these
        raise BadInputError("The JSON is nested too deeply.") from error
    except ValueError as error:
        raise BadInputError(f"The body is not valid JSON: {error}.") from error


def _register_errors(app: APIFlask) -> None:
    def answer_kyara_error(error: KyaraError) -> tuple[Any, int, dict[str, str]]:
        headers = {}
        count_refusal(error)
        if isinstance(error, BusyError | TooManyRequestsError | UnavailableError):
            headers["Retry-After"] = str(error.retry_after_s)
        if isinstance(error, UnauthorizedError):
            headers["WWW-Authenticate"] = error.challenge
        return answer_problem(error.status, error.title, str(error), headers, error.crop)

    def answer_rate_limit(error: RateLimitExceeded) -> tuple[Any, int, dict[str, str]]:
        return answer_kyara_error(explain_breach())

    def answer_http_error(error: HTTPException) -> Any:
        if error.code is None or error.code < 400:
            return error
        return answer_problem(error.code, error.name, error.description or error.name)

    def answer_api_error(error: HTTPError) -> tuple[Any, int, dict[str, str]]:
        detail = _join_messages(error.detail) or error.message
        return answer_problem(
            error.status_code,
            error.message,
            detail,
            {},
        )

    def answer_unexpected(error: Exception) -> tuple[Any, int, dict[str, str]]:
        logger.exception("Unexpected error on %s %s", request.method, request.path)
        return answer_problem(
            500, "Internal Server Error", "Something went wrong here. It has been logged."
        )

    app.error_processor(answer_api_error)  # takes Werkzeug's errors too: ours come after it
    app.register_error_handler(KyaraError, answer_kyara_error)
    app.register_error_handler(RateLimitExceeded, answer_rate_limit)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected)


def answer_problem(
    status: int,
    title: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    crop: int | None = None,
) -> tuple[Any, int, dict[str, str]]:
    """Answer an error: a page to somebody who reads pages, RFC 9457 problem details to a program."""
    if len(detail) > MAX_DETAIL_CHARACTERS:  # it may repeat what was sent
        detail = f"{detail[:MAX_DETAIL_CHARACTERS]}… and so on."
    if not request.path.startswith("/api/") and request.accept_mimetypes.accept_html:
        page = render_template("error.html", status=status, title=title, detail=detail)
        return page, status, dict(headers or {})
    problem: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if request_id := find_request_id():
        problem["request_id"] = request_id
    if crop is not None:
        problem["crop"] = crop
    return problem, status, {**(headers or {}), "Content-Type": "application/problem+json"}


def _join_messages(detail: Any, path: str = "") -> str:
    """Turn marshmallow's nested messages into sentences: `crops.0: Not a valid string.`."""
    if isinstance(detail, Mapping):
        parts = (
            _join_messages(value, f"{path}.{key}" if path and path != "json" else str(key))
            for key, value in detail.items()
        )
        return " ".join(part for part in parts if part)
    if isinstance(detail, list):
        return " ".join(_join_messages(value, path) for value in detail)
    return f"{path}: {detail}" if detail else ""
