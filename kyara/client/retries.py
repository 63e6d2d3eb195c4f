"""When to ask again: what went wrong in, the seconds to wait out, or the error."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import httpx

from kyara.client.problems import NoAnswerError, ProblemError
from kyara.errors import BadInputError

AGAIN = frozenset({429, 503})
"""What a site answers when the same question may be answered later."""
FIRST_WAIT_S = 0.5
"""Where the site does not say how long to wait; each further wait is twice as long."""


@dataclass(frozen=True)
class Retries:
    """How often, and for how long, a question is asked again.

    It is where the site is busy (503), where too many questions came (429), and where the connection
    fails or is not made in time. `Retry-After` is honoured; a wait that would end after `total_s` is not
    begun.

    Attributes:
        attempts: most times a question is sent; 1 never asks again.
        total_s: seconds after the first attempt within which the last one begins.
    """

    attempts: int = 5
    total_s: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not self.total_s >= 0:
            raise BadInputError(f"Retries need 1 attempt or more, and 0 s or more; received {self}.")


class Attempts:
    """The attempts of one question."""

    def __init__(self, retries: Retries) -> None:
        """Begin with the first."""
        self._retries = retries
        self._made = 0
        self._until = time.monotonic() + retries.total_s

    def weigh_refusal(self, response: httpx.Response) -> float:
        """Return how many seconds to wait after an answer that is none.

        Raises:
            ProblemError: not to be asked again, or not within the bounds.
            NoAnswerError: the address is another site's, which leads elsewhere.
        """
        if not response.is_error:
            raise NoAnswerError(
                f"{response.url} answers {response.status_code} {response.reason_phrase}, as no Kyara "
                "site does: is the address right?"
            )
        problem = ProblemError(response)
        wait_s = self._find_wait(problem.retry_after_s) if problem.status in AGAIN else None
        if wait_s is None:
            raise problem
        return wait_s

    def weigh_failure(self, error: httpx.RequestError) -> float:
        """Return how many seconds to wait after a connection that failed.

        Raises:
            NoAnswerError: it makes no sense to ask again, or not within the bounds.
        """
        kinds = httpx.NetworkError | httpx.RemoteProtocolError | httpx.ConnectTimeout
        passing = isinstance(error, kinds)
        wait_s = self._find_wait(None) if passing else None
        if wait_s is None:
            what = str(error) or type(error).__name__
            raise NoAnswerError(f"{error.request.url} gives no answer: {what}.") from error
        return wait_s

    def _find_wait(self, asked_s: float | None) -> float | None:
        """Return the seconds until the next attempt; None if there is none."""
        self._made += 1
        wait_s = FIRST_WAIT_S * 2 ** (self._made - 1) if asked_s is None else asked_s
        # not all who were refused come back at once
        wait_s += random.uniform(0, FIRST_WAIT_S)  # nosec B311
        if self._made >= self._retries.attempts or time.monotonic() + wait_s > self._until:
            return None
        return wait_s
