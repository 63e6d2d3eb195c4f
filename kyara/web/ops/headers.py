"""Security headers of every answer: what the browser may load, run, show in a frame, keep and send on.

In: an answer of any route, static files and errors included. Out: the same answer with its headers.
No redirect leads to another site.
Nothing inline runs: data blocks and styles carry a nonce, and no policy says `unsafe-inline`.

Source: OWASP HTTP Headers Cheat Sheet,
https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Response, current_app, g, request

from kyara.errors import BadInputError

MAX_HSTS_SECONDS = 10 * 365 * 24 * 3600
UNUSED_FEATURES = (
    "accelerometer",
    "browsing-topics",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "otp-credentials",
    "payment",
    "picture-in-picture",
    "publickey-credentials-create",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "storage-access",
    "usb",
    "window-management",
    "xr-spatial-tracking",
)
"""What no page uses. A paste is an event, not `clipboard-read`; `autoplay` stays: Live plays, muted, and
`clipboard-write`: names and pictures are copied by a click."""
_PUBLIC = frozenset({"/api/characters", "/api/docs", "/api/openapi.json"})
"""The same for everybody who asks in the same language."""


def set_up_headers(app: Flask) -> None:
    """Add the headers to every answer of an application, and `csp_nonce()` to its templates.

    Raises:
        BadInputError: HSTS_SECONDS is not a number of seconds.
    """
    if check_hsts_seconds(app.config["HSTS_SECONDS"]):
        app.config["SESSION_COOKIE_SECURE"] = True
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.after_request(add_headers)


def check_hsts_seconds(seconds: object) -> int:
    """Return for how long browsers are to insist on https; 0 is not at all.

    Raises:
        BadInputError: not an integer from 0 to `MAX_HSTS_SECONDS`.
    """
    whole = isinstance(seconds, int) and not isinstance(seconds, bool)
    if not whole or not 0 <= int(seconds) <= MAX_HSTS_SECONDS:  # type: ignore[call-overload]
        raise BadInputError(
            f"KYARA_HSTS_SECONDS is a number of seconds from 0 (off) to {MAX_HSTS_SECONDS}, such as "
            f"31536000 for a year; received {seconds!r}."
        )
    return int(seconds)  # type: ignore[call-overload]


def csp_nonce() -> str:
    """Return this request's nonce; an element that carries it may run."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return g.csp_nonce


def allow_connections(source: str) -> None:
    """Give this answer, a worker's script, a policy of its own: it may ask `source` and no more."""
    g.connect_source = source


def allow_forms_to(site: str) -> None:
    """Let the forms of this answer's page post to another site, too, such as `https://example.org`."""
    g.forms_go_to = site


def add_headers(response: Response) -> Response:
    """Set the security headers of an answer."""
    headers = response.headers
    nonce = f"'nonce-{g.csp_nonce}'" if "csp_nonce" in g else ""
    headers.update(describe_headers(current_app.config["HSTS_SECONDS"], nonce, g.get("forms_go_to", "")))
    if "connect_source" in g:
        headers["Content-Security-Policy"] = f"default-src 'none'; connect-src {g.connect_source}"
    if response.location:
        response.location = stay_here(response.location)
    if is_private(response) and "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    return response


def stay_here(location: str) -> str:
    """Return the address of a redirect without its host, which is whatever the client has sent."""
    parts = urlsplit(location)
    path = f"/{parts.path.lstrip('/')}"
    return urlunsplit(("", "", path, parts.query, parts.fragment))


def describe_headers(hsts_seconds: int = 0, nonce: str = "", forms: str = "") -> dict[str, str]:
    """Return the headers of every answer.

    Args:
        hsts_seconds: for how long browsers are to insist on https; 0 is not at all.
        nonce: `'nonce-…'` for what is inline on this page; empty if nothing is.
        forms: another site that the page's forms may post to.
    """
    headers = {
        "Content-Security-Policy": describe_content_policy(nonce, forms),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if hsts_seconds:
        headers["Strict-Transport-Security"] = f"max-age={hsts_seconds}"
    return headers


def describe_content_policy(nonce: str = "", forms: str = "") -> str:
    """Return the Content-Security-Policy; see `describe_headers`."""
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' 'wasm-unsafe-eval' {nonce}",
        "style-src": f"'self' {nonce}",
        "worker-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob:",
        "font-src": "'self'",
        "manifest-src": "'self'",
        "form-action": f"'self' {forms}",
        "base-uri": "'none'",
        "object-src": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}".strip() for name, value in policy.items())


def is_private(response: Response) -> bool:
    """Tell whether an answer is for one client alone: what the API says of a crop, errors, cookies."""
    if response.status_code >= 400 or "Set-Cookie" in response.headers:
        return True
    return request.path.startswith("/api/") and request.path not in _PUBLIC
