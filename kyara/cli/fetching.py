"""An address → the bytes there, bounded in size and in time."""

from __future__ import annotations

import http.client
import re
import time
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

import kyara
from kyara.errors import BadInputError, TooLargeError

MAX_FETCHED_BYTES = 256 * 1024 * 1024
MAX_FETCHING_S = 60.0
QUIET_S = 15.0
"""So long a server may say nothing."""
_PIECE_BYTES = 1 << 16
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


def is_address(name: str) -> bool:
    """Tell whether what somebody named is an `http` or `https` address, not a file."""
    return _ADDRESS.match(name) is not None


def fetch(address: str, *, allowed: bool, most_bytes: int | None = None) -> bytes:
    """Return what is at an `http` or `https` address; redirects are followed to those alone.

    Args:
        address: of a page of the web.
        allowed: whether `--allow-urls` was given.
        most_bytes: bound of its size; by default `MAX_FETCHED_BYTES`.

    Raises:
        BadInputError: it may not be fetched, or cannot be had.
        TooLargeError: it is larger.
    """
    if not allowed:
        raise BadInputError("This is an address, not a file; with --allow-urls it is fetched.")
    most = MAX_FETCHED_BYTES if most_bytes is None else most_bytes
    began = time.monotonic()
    request = Request(address, headers={"User-Agent": f"Kyara/{kyara.__version__}"})
    try:
        with _make_opener().open(request, timeout=QUIET_S) as answer:
            pieces, size = [], 0
            while piece := answer.read1(_PIECE_BYTES):
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    raise TooLargeError(f"There are more than {most:,} bytes there.")
                if time.monotonic() - began > MAX_FETCHING_S:
                    raise BadInputError(f"It takes longer than {MAX_FETCHING_S:.0f} s to fetch.")
    except HTTPError as error:
        error.close()
        raise BadInputError(f"The server answers {error.code} {error.reason}.") from error
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise BadInputError(f"It cannot be fetched: {reason}.") from error
    if not size:
        raise BadInputError("There is nothing there (0 bytes).")
    return b"".join(pieces)


class _Redirects(HTTPRedirectHandler):
    """Follows a few redirects; to another address of the web, as nothing else can be opened."""

    max_redirections = 5


def _make_opener() -> OpenerDirector:
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener
