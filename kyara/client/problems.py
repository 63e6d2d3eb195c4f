"""What goes wrong when a site is asked: an HTTP answer in, an error with the site's own sentence out."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from kyara.errors import KyaraError


class ProblemError(KyaraError):
    """The site refuses; the sentence is the one of its problem document (RFC 9457).

    Attributes:
        status: HTTP status.
        title: name of the kind of problem.
        crop: index of the picture or crop at fault, where one of several is, else None.
        request_id: as in the site's log; empty if it says none.
        retry_after_s: after how many seconds to ask again; None if it does not say.
    """

    def __init__(self, response: httpx.Response) -> None:
        """Take the site's answer."""
        said = _read_problem(response)
        detail = said.get("detail") or f"The site answers {response.status_code} and does not say why."
        super().__init__(str(detail), crop=said.get("crop"))
        self.status = response.status_code
        self.title = str(said.get("title") or response.reason_phrase)
        self.request_id = str(said.get("request_id") or "")
        self.retry_after_s = read_retry_after(response.headers.get("Retry-After", ""))


class NoAnswerError(KyaraError):
    """Nobody answers at the address, not in time, or not as a Kyara site does."""

    status = 502
    title = "No answer"


def read_retry_after(text: str) -> float | None:
    """Return the seconds that a `Retry-After` header asks to wait; None if there is none, or no sense.

    Args:
        text: a number of seconds, or a date.
    """
    if text.strip().isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _read_problem(response: httpx.Response) -> dict[str, Any]:
    """Return the problem document; empty where a proxy, say, answers with something else."""
    try:
        said = response.json()
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
