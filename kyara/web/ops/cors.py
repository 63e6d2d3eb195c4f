"""Which other sites' pages may ask the API: `CORS_ORIGINS`, by default none.

Cookies never count there, and what operators use, and what changes anything, is open to no other site.
"""

from __future__ import annotations

import re

from flask import Flask, Response, request
from flask_cors import CORS

from kyara.errors import BadInputError

EVERYBODY = "*"
OPEN_PATHS = (
    "/api/identify",
    "/api/pictures",
    "/api/explain",
    "/api/characters",
    "/api/openapi.json",
)
PREFLIGHT_SECONDS = 600
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(?::[0-9]{1,5})?")


def set_up_cors(app: Flask) -> None:
    """Let the pages of the configured sites ask the open paths of an application.

    Raises:
        BadInputError: CORS_ORIGINS cannot be understood.
    """
    origins = read_origins(app.config["CORS_ORIGINS"])
    if not origins:
        return
    CORS(
        app,
        resources={path: {} for path in OPEN_PATHS},
        origins=list(origins),
        methods=["GET", "POST"],
        allow_headers=["Content-Type"],
        expose_headers=["Retry-After", "X-Request-ID"],
        max_age=PREFLIGHT_SECONDS,
        send_wildcard=True,
        supports_credentials=False,
        allow_private_network=False,
        intercept_exceptions=False,
    )
    app.after_request(_vary)


def _vary(response: Response) -> Response:
    """Tell caches that an answer depends on who asks; Flask-CORS does not where one site alone may."""
    if request.path in OPEN_PATHS:
        response.vary.add("Origin")
    return response


def read_origins(text: object) -> tuple[str, ...]:
    """Return the origins of a setting.

    Args:
        text: such as `https://fans.example, http://localhost:3000`, or `*` for every site.

    Raises:
        BadInputError: something that is no origin.
    """
    origins = tuple(part.strip().lower() for part in str(text or "").split(",") if part.strip())
    for origin in origins:
        alone = origin == EVERYBODY and len(origins) == 1
        if not alone and not _ORIGIN.fullmatch(origin):
            raise BadInputError(
                f"KYARA_CORS_ORIGINS cannot be understood at {origin[:80]!r}: write origins such as "
                "https://fans.example, http://localhost:3000; or * for every site."
            )
    return origins


def is_allowed(origin: str, text: object) -> bool:
    """Tell whether the pages of an origin may ask, by a setting as `read_origins` takes it."""
    allowed = read_origins(text)
    return allowed == (EVERYBODY,) or origin.lower() in allowed
