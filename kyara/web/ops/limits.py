"""Limits of a request that are known before it is read: how often one address asks, and its headers.

Health, metrics and files have no rate limit. What is taken apart of a header has a bound, below.

In: `RATE_LIMITS` (kind=number/time, separated by commas; empty is no limit at all) and `REDIS_URL`
(empty counts in this process's memory). An IPv6 address counts by its /64. While Redis is away each
process counts for itself and says so in the log; no request fails because of it. Addresses are kept
in the counters alone, and for no longer than their window.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, current_app, g, request
from flask_limiter import Limiter, RequestLimit
from limits import parse_many
from werkzeug.exceptions import RequestHeaderFieldsTooLarge, RequestURITooLarge

from kyara.errors import BadInputError, TooManyRequestsError
from kyara.storage.client_hash import simplify_address

DEFAULT_LIMITS = (
    "identify=600/minute, pictures=60/minute, explain=40/minute, reports=120/minute, "
    "characters=600/minute, login=30/minute, operator=6000/minute, pages=600/minute"
)
"""For a household behind one address: Live asks 150 times a minute, so four may watch at once."""
KINDS = ("identify", "pictures", "explain", "reports", "characters", "login", "operator", "pages")
"""`pages` is whatever has no other kind: the page, the API's documents, and what is not there."""
REDIS_TIMEOUT_S = 0.5
_ROUTES = {
    ("POST", "/api/identify"): "identify",
    ("POST", "/api/pictures"): "pictures",
    ("POST", "/api/explain"): "explain",
    ("POST", "/api/reports"): "reports",
    ("GET", "/api/characters"): "characters",
    ("HEAD", "/api/characters"): "characters",
    ("POST", "/operator/login"): "login",
}
_PREFIXES = {
    "/api/reports/": "reports",
    "/api/gallery": "operator",
    "/operator": "operator",
    **dict.fromkeys(("/static/", "/bootstrap/", "/detector/"), ""),
    **dict.fromkeys(("/healthz", "/livez", "/readyz", "/metrics"), ""),
    "/": "pages",
}
MAX_HEADER_CHARACTERS = {
    "ACCEPT": 500,
    "ACCEPT_ENCODING": 500,
    "ACCEPT_LANGUAGE": 500,
    "COOKIE": 8192,
    "IF_MATCH": 1000,
    "IF_NONE_MATCH": 1000,
    "RANGE": 200,
    "X_FORWARDED_FOR": 1000,
}
"""What is taken apart item by item; browsers send a few hundred. 16 KiB are the most of all together."""
MAX_QUERY_CHARACTERS = 4096

logger = logging.getLogger("kyara.limits")


def set_up_limits(app: Flask) -> None:
    """Count the requests of an application; must come before whatever reads their bodies.

    Raises:
        BadInputError: RATE_LIMITS or REDIS_URL cannot be understood.
    """
    limits = read_limits(app.config["RATE_LIMITS"])
    app.before_request(check_headers)
    app.before_request(_watch_for_unknown_proxies)
    if not limits:
        return
    limiter = Limiter(
        lambda: f"{find_kind()}:{find_address()}",
        application_limits=[lambda: limits[find_kind()]],
        storage_uri=app.config["REDIS_URL"] or "memory://",
        storage_options=_describe_storage(app.config["REDIS_URL"]),
        strategy="moving-window",
        request_identifier=lambda: request.endpoint or "nothing",  # without one it would count nothing
        in_memory_fallback_enabled=bool(app.config["REDIS_URL"]),
        on_breach=_note_breach,
        key_prefix="kyara",
    )
    limiter.request_filter(lambda: find_kind() not in limits)
    limiter.logger.propagate = False
    limiter.logger.setLevel(logging.INFO)
    limiter.logger.handlers = [_ToOurLog()]
    app.extensions["kyara_limiter"] = limiter
    try:
        limiter.init_app(app)
    except (
        Exception
    ) as error:  # an address that no client understands; one that does not answer is no error
        raise BadInputError(f"KYARA_REDIS_URL cannot be used: {error}.") from error


def charge(requests: int) -> None:
    """Count the current request as so many more than one, once it is known what it asks for.

    Args:
        requests: how many more; no more than half of a limit is taken at once.

    Raises:
        TooManyRequestsError: the limit does not allow it.
    """
    limiter: Limiter | None = current_app.extensions.get("kyara_limiter")
    if limiter is None or requests <= 0:
        return
    for counted in limiter.current_limits:
        cost = min(requests, counted.limit.amount // 2)
        try:
            allowed = not cost or limiter.limiter.hit(counted.limit, *counted.request_args, cost=cost)
        except Exception as error:  # of Redis' client: it went away after the request was counted as one
            logger.warning("A request is counted as one, not as %s more: %s", cost, error)
            return
        if not allowed:
            _note_breach(counted)
            raise explain_breach()


def check_headers() -> None:
    """Refuse what would take long to take apart. The answer to it reads none of it either.

    Raises:
        RequestHeaderFieldsTooLarge: a header is too long.
        RequestURITooLarge: the query is.
    """
    environ = request.environ
    long = [
        name
        for name, most in MAX_HEADER_CHARACTERS.items()
        if len(environ.get(f"HTTP_{name}", "")) > most
    ]
    for name in long:
        del environ[f"HTTP_{name}"]
    if long:
        name = long[0].title().replace("_", "-")
        raise RequestHeaderFieldsTooLarge(
            f"{name} is longer than {MAX_HEADER_CHARACTERS[long[0]]} characters."
        )
    if len(environ.get("QUERY_STRING", "")) > MAX_QUERY_CHARACTERS:
        environ["QUERY_STRING"] = ""
        raise RequestURITooLarge(f"The query is longer than {MAX_QUERY_CHARACTERS} characters.")


def read_limits(text: object) -> Mapping[str, str]:
    """Return kind → limits as Flask-Limiter reads them.

    Args:
        text: such as `identify=600/minute, reports=60/minute, reports=500/day`.

    Raises:
        BadInputError: a kind that there is not, or no limit.
    """
    found: dict[str, list[str]] = {}
    for part in str(text).split(",") if text else ():
        kind, _, limit = (piece.strip() for piece in part.partition("="))
        try:
            if kind not in KINDS:
                raise ValueError(f"there is no kind {kind!r}; there are {', '.join(KINDS)}")
            parse_many(limit)
        except ValueError as error:
            raise BadInputError(
                f"KYARA_RATE_LIMITS cannot be understood at {part.strip()[:80]!r} ({error}): write such "
                "as identify=600/minute, explain=40/minute; nothing at all turns the limits off."
            ) from error
        found.setdefault(kind, []).append(limit)
    return {kind: "; ".join(each) for kind, each in found.items()}


def find_kind() -> str:
    """Return the kind of this request; empty for those without a limit."""
    return _find_kind(request.method, request.path)


def is_limited(method: str, path: str) -> bool:
    """Tell whether there is a limit for a route, when limits are on."""
    return bool(_find_kind(method, path))


def _find_kind(method: str, path: str) -> str:
    if kind := _ROUTES.get((method, path)):
        return kind
    for prefix, kind in _PREFIXES.items():
        if path.startswith(prefix):
            return kind
    return ""


def find_address() -> str:
    """Return the client's address; of IPv6 the /64."""
    return simplify_address(request.remote_addr or "unknown")


def explain_breach() -> TooManyRequestsError:
    """Return the sentence for a request that came too often."""
    seconds = g.get("kyara_retry_after_s", 60)
    return TooManyRequestsError(
        f"Too many requests came from your address. Please try again in {_say_time(seconds)}.",
        retry_after_s=seconds,
    )


def _say_time(seconds: int) -> str:
    for size, name in ((3600, "hour"), (60, "minute")):
        if seconds > size:
            number = -(-seconds // size)
            return f"{number} {name}{'s' if number > 1 else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"


def _note_breach(limit: RequestLimit) -> None:
    g.kyara_retry_after_s = max(1, int(limit.reset_at - time.time()))
    logger.info("Too many requests of the kind %s from one address.", find_kind())


def _describe_storage(redis_url: str) -> dict[str, Any]:
    """Return options by which a Redis that does not answer costs half a second, once."""
    if not redis_url:
        return {}
    return {"socket_connect_timeout": REDIS_TIMEOUT_S, "socket_timeout": REDIS_TIMEOUT_S}


def _watch_for_unknown_proxies() -> None:
    """Say once that visitors cannot be told apart because a proxy is not configured."""
    if current_app.config["TRUSTED_PROXIES"] or "X-Forwarded-For" not in request.headers:
        return
    if not current_app.extensions.get("kyara_proxy_told"):
        current_app.extensions["kyara_proxy_told"] = True
        logger.warning(
            "A request carries X-Forwarded-For, and KYARA_TRUSTED_PROXIES is 0: it is not believed. "
            "If a proxy of yours sets it, set KYARA_TRUSTED_PROXIES, or all visitors count as one."
        )


class _ToOurLog(logging.Handler):
    """Hands what Flask-Limiter says to our log, but for the lines that hold a visitor's address."""

    def emit(self, record: logging.LogRecord) -> None:
        if not str(record.msg).startswith("ratelimit "):
            say: Callable[..., None] = logger.warning if record.levelno >= logging.INFO else logger.debug
            say("%s", record.getMessage())
