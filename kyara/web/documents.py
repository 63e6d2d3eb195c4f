"""JSON that comes in, bounded before anybody validates it; and how many bytes of bodies there may be.

One hook for every route, operators' included: what it lets through has few values, little depth and no
long text but pictures, so that a schema looks at nothing that is large.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask, g, request
from werkzeug.exceptions import UnsupportedMediaType

from kyara.errors import BadInputError, BusyError

MAX_VALUES = 10_000
"""Counted by the marks `,` `:` `[` `{`, wherever they stand; 1,000 decided reports have 5,000."""
MAX_DEPTH = 16
MAX_KEY_CHARACTERS = 500
MAX_TEXT_CHARACTERS = 10_000
"""Of any text that is not a data URL; a report's note may have 1,000."""
SMALL_BODY_BYTES = 256 * 1024
"""Up to this size there may be as many bodies as there are threads."""
_SIZES = ((2 * 1024 * 1024, 12 * 1024 * 1024), (float("inf"), 12 * 1024 * 1024))
"""Bodies up to a size, and the bytes that all of them may have together; larger ones have their own."""
_MARKS = (b",", b":", b"[", b"{")


class BodyRoom:
    """The bytes of bodies that are worked on at a time; safe for many threads.

    A body is in memory some four times: as it came, as text, as values, as the files in it.
    """

    def __init__(self) -> None:
        self._held = [0] * len(_SIZES)
        self._lock = threading.Lock()

    def take(self, size_bytes: int) -> None:
        """Take room for one body.

        Raises:
            BusyError: there is none.
        """
        kind = _find_kind(size_bytes)
        with self._lock:
            if self._held[kind] and self._held[kind] + size_bytes > _SIZES[kind][1]:
                raise BusyError(
                    "Many large requests are being worked on. Please try again in a few seconds.",
                    reason="bytes",
                )
            self._held[kind] += size_bytes

    def give_back(self, size_bytes: int) -> None:
        with self._lock:
            self._held[_find_kind(size_bytes)] -= size_bytes


def _find_kind(size_bytes: int) -> int:
    return next(kind for kind, (most, _) in enumerate(_SIZES) if size_bytes <= most)


def set_up_body_room(app: Flask) -> None:
    """Hold room for each body of an application from before it is read until it is answered."""
    room = BodyRoom()

    def take_room() -> None:
        size_bytes = request.content_length or 0
        if size_bytes > SMALL_BODY_BYTES:
            room.take(size_bytes)
            g.kyara_body_bytes = size_bytes

    def give_back(_error: BaseException | None) -> None:
        if size_bytes := g.pop("kyara_body_bytes", 0):
            room.give_back(size_bytes)

    app.before_request(take_room)
    app.teardown_request(give_back)


TAKE_FILES = frozenset({"/api/pictures"})
"""Routes whose body may be a form or a file; they look themselves at who sends it."""


def require_json() -> None:
    """Refuse a body for the API that is not JSON, and for any route JSON beyond the bounds.

    A form on a strange site cannot post to the API: it can send no JSON. Routes of `TAKE_FILES` take
    other bodies, too.

    Raises:
        UnsupportedMediaType: another type.
        BadInputError: it is no JSON, or larger than the bounds of this module.
    """
    is_post_to_api = request.method == "POST" and request.path.startswith("/api/")
    if request.is_json:
        if body := request.get_data():
            # where Flask and webargs read it again
            request._cached_data = check_document(body)  # type: ignore[attr-defined]
        elif is_post_to_api:
            raise BadInputError("The body is empty: send JSON.")
    elif is_post_to_api and request.path not in TAKE_FILES:
        raise UnsupportedMediaType(
            f"The body must be application/json; received {request.mimetype or 'no content type'}."
        )


def check_document(body: bytes) -> bytes:
    """Refuse JSON that is larger than the bounds of this module.

    Args:
        body: of a request, UTF-8. Nothing is made of it before its values are counted.

    Returns:
        The body; without its line breaks if a text has some as they are, as a shell's base64 does.

    Raises:
        BadInputError: it is; or it is not JSON.
    """
    if sum(body.count(mark) for mark in _MARKS) > MAX_VALUES:
        raise BadInputError(f"The JSON has more than {MAX_VALUES:,} values.")
    try:
        body, document = _read(body)
    except RecursionError as error:
        raise BadInputError("The JSON is nested too deeply.") from error
    except ValueError as error:
        raise BadInputError(f"The body is not valid JSON: {error}.") from error
    for depth, value in _walk(document):
        if depth > MAX_DEPTH:
            raise BadInputError(f"The JSON is nested too deeply: more than {MAX_DEPTH} levels.")
        if isinstance(value, dict) and any(len(key) > MAX_KEY_CHARACTERS for key in value):
            raise BadInputError(f"The JSON has a name of more than {MAX_KEY_CHARACTERS} characters.")
        if isinstance(value, str) and len(value) > MAX_TEXT_CHARACTERS and value[:5] != "data:":
            raise BadInputError(
                f"The JSON has a text of {len(value):,} characters that is no data URL; "
                f"at most {MAX_TEXT_CHARACTERS:,} are accepted."
            )
    return body


def _read(body: bytes) -> tuple[bytes, Any]:
    try:
        return body, json.loads(body.decode())
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Invalid control character") or b"data:" not in body:
            raise
        body = body.translate(None, b"\r\n")
        return body, json.loads(body.decode())


def _walk(document: Any) -> Iterator[tuple[int, Any]]:
    """Yield every value with its depth."""
    waiting = [(1, document)]
    while waiting:
        depth, value = waiting.pop()
        yield depth, value
        if isinstance(value, dict | list):
            inside = value.values() if isinstance(value, dict) else value
            waiting.extend((depth + 1, each) for each in inside)
