"""Errors over HTTP: a KyaraError or an HTTP error in, a page or RFC 9457 problem details out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import render_template, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from kyara.dataset.review.steps import ReviewConflictError
from kyara.errors import (
    BusyError,
    KyaraError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
)
from kyara.web.ops.limits import explain_breach
from kyara.web.ops.logs import find_request_id
from kyara.web.ops.monitoring import count_refusal

MAX_DETAIL_CHARACTERS = 600

logger = logging.getLogger("kyara")


def register_errors(app: APIFlask) -> None:
    """Answer every error as a page or as problem details; see `answer_problem`."""

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


def answer_stale(
    error: ReviewConflictError, now: dict[str, Any]
) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Answer a decision about what changed meanwhile: problem details, and how it is now."""
    problem = {"type": "about:blank", "title": error.title, "status": error.status, "detail": str(error)}
    return {**problem, **now}, error.status, {"Content-Type": "application/problem+json"}


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
