"""Log lines: text for people, or one JSON object a line for programs (`LOG_FORMAT`).

A line about a request has its id, route, status and time. No line holds a picture, a label or an address
that a visitor sent, nor the visitor's own address; a path is told as its route: `/api/gallery/<label>`.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, TextIO, cast

from flask import g, has_request_context
from flask.logging import wsgi_errors_stream

from kyara.errors import BadInputError
from kyara.web.serving.process import FIELDS

FORMATS = ("text", "json")
_HANDLER = "kyara"


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := find_request_id():
            entry["request_id"] = request_id
        entry.update(getattr(record, FIELDS, {}))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message, and the request's id if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(" ", "milliseconds")
        request_id = find_request_id()
        text = f"{moment} {record.levelname} {record.getMessage()}"
        text += f" [{request_id}]" if request_id else ""
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def find_request_id() -> str:
    """Return the id of the request that is being answered; empty if there is none."""
    return g.get("request_id", "") if has_request_context() else ""


def set_up_logs(format_name: str) -> None:
    """Write what Kyara says to standard error, in this format; doing it again changes the format.

    Raises:
        BadInputError: no such format.
    """
    if format_name not in FORMATS:
        raise BadInputError(
            f"KYARA_LOG_FORMAT is one of {', '.join(FORMATS)}; received {format_name!r}."
        )
    logger = logging.getLogger("kyara")
    for handler in [one for one in logger.handlers if one.get_name() == _HANDLER]:
        logger.removeHandler(handler)
    handler = logging.StreamHandler(cast(TextIO, wsgi_errors_stream))
    handler.set_name(_HANDLER)
    handler.setFormatter(JsonFormatter() if format_name == "json" else TextFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # Nobody waits for a thread for long: the queue in front of the model is ours, and is counted.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
