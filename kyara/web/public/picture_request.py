"""The body of `POST /api/pictures` → picture files, and how they are to be looked at.

A form with files, JSON with data URLs, or one picture as the body itself. Nothing of it is ever on disk.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urlsplit

from apiflask.exceptions import HTTPError
from flask import current_app, request
from marshmallow import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from kyara.errors import BadInputError, ForbiddenError, TooLargeError
from kyara.web.crops import MAX_PICTURES, read_data_url
from kyara.web.ops.cors import is_allowed
from kyara.web.public.picture_schemas import LookIn, PicturesIn

MAX_PARTS = 2 * MAX_PICTURES
"""Of a form: files and fields."""
MAX_FIELD_BYTES = 4 * 1024 * 1024
"""Of all fields of a form that are no files; a data URL may be one."""
MAX_NAME_CHARACTERS = 200
_FIELDS = ("picture", "pictures")
_HOW = (
    "Send a form with files, such as `curl -F picture=@screenshot.png`, JSON with data URLs, or one "
    "picture as the body."
)


@dataclass
class SentFiles:
    """What was sent.

    Attributes:
        names: of the files; empty where there was none.
        reads: what gives the bytes of each.
        options: `top_k`, `language` and `whole`, where they were sent.
    """

    names: list[str] = field(default_factory=list)
    reads: list[Callable[[], bytes]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, read: Callable[[], bytes]) -> None:
        """Add a file."""
        self.names.append(name)
        self.reads.append(read)


def read_sent(options: Mapping[str, Any], document: Any) -> SentFiles:
    """Read the body of the current request.

    Args:
        options: of the query.
        document: the body's JSON, if it is JSON.

    Raises:
        KyaraError: there is no picture, or there are too many.
        HTTPError: a field makes no sense.
    """
    sent = SentFiles(options=dict(options))
    if request.is_json:
        _read_document(document, sent)
        return sent
    _refuse_strangers()
    if request.mimetype == "multipart/form-data":
        _read_form(sent)
    else:
        _read_body(request.get_data(cache=False), sent)
    if not sent.reads:
        raise BadInputError(f"There is no picture in the request. {_HOW}")
    if len(sent.reads) > MAX_PICTURES:
        raise TooLargeError(
            f"Send at most {MAX_PICTURES} pictures at a time; received {len(sent.reads)}."
        )
    return sent


def _refuse_strangers() -> None:
    """Refuse what a page of another site sends as a form, which asks nobody for leave.

    Raises:
        ForbiddenError: the browser says that the page is of a site that is not allowed.
    """
    origin = request.headers.get("Origin")
    if origin is None or _find_host(origin) == request.host:
        return
    if not is_allowed(origin, current_app.config["CORS_ORIGINS"]):
        raise ForbiddenError(
            "Pages of other sites may not send pictures here; KYARA_CORS_ORIGINS allows it."
        )


def _find_host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # of no browser: "http://[", say
        return ""


def _read_document(document: Any, sent: SentFiles) -> None:
    values = _check(PicturesIn(), document, "json")
    for url in values.pop("pictures"):
        sent.add("", lambda url=url: read_data_url(url))
    sent.options.update(values)


def _read_form(sent: SentFiles) -> None:
    parser = FormDataParser(
        stream_factory=_keep_in_memory,
        max_form_memory_size=MAX_FIELD_BYTES,
        max_form_parts=MAX_PARTS,
        silent=False,
    )
    body = io.BytesIO(request.get_data(cache=False))
    try:
        _, fields, files = parser.parse(body, request.mimetype, None, request.mimetype_params)
    except RequestEntityTooLarge as error:
        raise TooLargeError(
            f"The form has more than {MAX_PARTS} parts, or more than {MAX_FIELD_BYTES:,} bytes that are "
            "no files."
        ) from error
    except ValueError as error:
        raise BadInputError(f"The form cannot be read ({error}). {_HOW}") from error
    for _, file in files.items(multi=True):
        sent.add((file.filename or "")[:MAX_NAME_CHARACTERS], file.read)
    for name in _FIELDS:
        for url in fields.poplist(name):
            sent.add("", lambda url=url: read_data_url(url.strip()))
    sent.options.update(_check(LookIn(), fields.to_dict(), "form"))


def _read_body(data: bytes, sent: SentFiles) -> None:
    """Take the body as one picture, or as the data URL of one."""
    if data[:5] == b"data:":
        sent.add("", lambda: read_data_url(data.decode("ascii", "replace").strip()))
    elif data:
        sent.add("", lambda: data)


def _check(schema: LookIn, values: Any, where: str) -> dict[str, Any]:
    try:
        return dict(schema.load(values))  # type: ignore[arg-type]
    except ValidationError as error:
        status = current_app.config["VALIDATION_ERROR_STATUS_CODE"]
        raise HTTPError(status, "Validation error", {where: error.messages}) from error


def _keep_in_memory(*_: Any, **__: Any) -> IO[bytes]:
    return io.BytesIO()
