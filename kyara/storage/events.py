"""Servers tell each other that there is something new: over Redis, where there is one.

An event says only that somebody should look; what happened is in the database. So nothing is lost where
an event is: everybody looks now and then anyway. Redis may be away, come back, or not exist.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from kyara.errors import BadInputError
from kyara.storage.extras import name_install

PROMOTED = "promoted"
TAUGHT = "taught"
CHANNEL = "kyara:events"
_TIMEOUT_S = 0.5
_RETRY_S = 5.0
"""While Redis is away it is asked so often."""

_log = logging.getLogger("kyara")


def announce(event: str) -> None:
    """Tell the servers of the environment's `KYARA_REDIS_URL`, for a program that ends soon."""
    from kyara.storage.settings import PlaceSettings

    events = Events(PlaceSettings.read().redis_url)
    events.publish(event)
    events.close()


class Events:
    """A channel of events; without a URL nothing is ever heard."""

    def __init__(self, url: str) -> None:
        """Take the URL; nothing is opened yet.

        Raises:
            BadInputError: it is not one of Redis, or the client is not installed.
        """
        self._url = url
        self._turn = threading.Lock()
        self._client: tuple[int, Any] | None = None
        self._heard: Any = None
        self._retry_at = 0.0
        self._is_away = False
        if url:
            try:
                import redis

                redis.ConnectionPool.from_url(url)
            except (ImportError, ValueError) as error:
                raise BadInputError(
                    f"REDIS_URL cannot be used ({error}): it is like redis://host:6379/0, and needs "
                    f"`{name_install('scale')}`."
                ) from error

    def publish(self, event: str) -> None:
        """Tell everybody; where that fails they find out by themselves a moment later."""
        if not self._url or time.monotonic() < self._retry_at:
            return
        try:
            self._open().publish(CHANNEL, event)
        except Exception as error:  # of the client, or of the system under it
            self._note_outage(error)

    def wait(self, timeout_s: float) -> str | None:
        """Wait for an event; for one caller at a time.

        Args:
            timeout_s: longest wait, give or take the time that a Redis that hangs costs.

        Returns:
            The event; None where there was none in time.
        """
        until = time.monotonic() + timeout_s
        if self._url and time.monotonic() >= self._retry_at:
            try:
                return self._listen(timeout_s)
            except Exception as error:  # as above
                self._note_outage(error)
        pause = threading.Event()
        pause.wait(max(0.0, until - time.monotonic()))
        return None

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        with self._turn:
            if self._heard is not None:
                self._heard.close()
            if self._client is not None:
                self._client[1].close()
            self._heard = self._client = None

    def _listen(self, timeout_s: float) -> str | None:
        client = self._open()
        if self._heard is None:
            heard = client.pubsub(ignore_subscribe_messages=True)
            heard.subscribe(CHANNEL)
            self._heard = heard
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            message = self._heard.get_message(timeout=left)
            self._note_return()
            if message is not None and message["type"] == "message":
                return message["data"].decode(errors="replace")
        return None

    def _open(self) -> Any:
        """Return this process's client: connections from before a fork are another one's."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        with self._turn:
            if self._client is None or self._client[0] != os.getpid():
                client = redis.Redis.from_url(
                    self._url,
                    socket_connect_timeout=_TIMEOUT_S,
                    socket_timeout=_TIMEOUT_S,
                    retry=Retry(NoBackoff(), 1),
                    health_check_interval=10,  # a machine that is gone says nothing, for ever
                )
                self._client, self._heard = (os.getpid(), client), None
            return self._client[1]

    def _note_outage(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + _RETRY_S
        self._heard = None
        if not self._is_away:
            self._is_away = True
            _log.warning("Redis cannot be reached (%s); servers look by themselves.", error)

    def _note_return(self) -> None:
        if self._is_away:
            self._is_away = False
            _log.info("Redis can be reached again.")
