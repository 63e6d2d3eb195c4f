"""Events between servers: heard at once, and nobody minds when Redis is away."""

from __future__ import annotations

import logging
import threading

import pytest
from services import RedisServer

from kyara.errors import BadInputError
from kyara.storage import events as events_module
from kyara.storage.events import PROMOTED, TAUGHT, Events


def hear(listener: Events, teller: Events, event: str) -> str | None:
    """Tell again and again until it is heard: nobody hears what was told before they listened."""
    heard: list[str | None] = []
    thread = threading.Thread(target=lambda: heard.append(listener.wait(20)))
    thread.start()
    while thread.is_alive():
        teller.publish(event)
        thread.join(0.05)
    while listener.wait(0.2) is not None:
        pass  # told once more before the first was heard
    return heard[0]


def test_events_are_heard_by_another_server(redis_url: str):
    listener, teller = Events(redis_url), Events(redis_url)
    assert hear(listener, teller, PROMOTED) == PROMOTED
    for events in (listener, teller):
        events.close()


def test_without_redis_nothing_is_heard_and_nothing_fails():
    events = Events("")
    events.publish(PROMOTED)
    assert events.wait(0.01) is None
    events.close()


@pytest.mark.parametrize("how", ["is gone", "hangs"])
def test_redis_may_go_and_come_back(
    own_redis: RedisServer, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(events_module, "_RETRY_S", 0.1)
    listener, teller = Events(own_redis.url()), Events(own_redis.url())
    assert hear(listener, teller, PROMOTED) == PROMOTED
    own_redis.kill() if how == "is gone" else own_redis.suspend()
    with caplog.at_level(logging.INFO, logger="kyara"):
        for _ in range(6):
            teller.publish(PROMOTED)
            assert listener.wait(0.2) is None or how == "hangs"
        warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
        own_redis.start() if how == "is gone" else own_redis.resume()
        assert hear(listener, teller, TAUGHT) is not None
    assert 1 <= len(warned) <= 2, warned  # the listener's line, and the teller's
    for events in (listener, teller):
        events.close()


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1"])
def test_a_url_of_something_else_is_refused(url: str):
    with pytest.raises(BadInputError, match="REDIS_URL"):
        Events(url)
