"""Rate limits in a real Redis: shared by several servers, and no request fails while it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask
from app_fixtures import MakeApp
from services import RedisServer

from kyara.errors import BadInputError

MakeServer = Callable[..., APIFlask]
DEADLINE_S = 60


@pytest.fixture
def make_server(make_app: MakeApp) -> MakeServer:
    """Make servers that count in the same Redis."""

    def make(url: str, limits: str = "characters=3/hour") -> APIFlask:
        return make_app(REDIS_URL=url, RATE_LIMITS=limits)

    return make


def ask(app: APIFlask) -> int:
    """Return the status of one request."""
    return app.test_client().get("/api/characters").status_code


def test_servers_count_together(make_server: MakeServer, redis_url: str):
    one, two = make_server(redis_url), make_server(redis_url)
    assert [ask(one), ask(two), ask(one), ask(two), ask(one)] == [200, 200, 200, 429, 429]


def test_while_redis_is_away_each_server_counts_for_itself_and_says_so(
    make_server: MakeServer, own_redis: RedisServer, caplog: Any
):
    app = make_server(own_redis.url())
    assert [ask(app), ask(app)] == [200, 200]
    own_redis.kill()
    with caplog.at_level(logging.INFO, "kyara.limits"):
        assert [ask(app) for _ in range(4)] == [200, 200, 200, 429]
        assert "falling back to in-memory storage" in caplog.text
        own_redis.start()  # empty
        until = time.monotonic() + DEADLINE_S
        while ask(app) != 200:
            assert time.monotonic() < until
    assert "recovered" in caplog.text


def test_a_redis_that_hangs_holds_up_nobody_for_long(make_server: MakeServer, own_redis: RedisServer):
    app = make_server(own_redis.url())
    assert ask(app) == 200
    own_redis.suspend()
    try:
        started = time.monotonic()
        assert [ask(app) for _ in range(5)] == [200, 200, 200, 429, 429]
        assert time.monotonic() - started < 20
    finally:
        own_redis.resume()


def test_the_site_starts_while_redis_is_away(make_server: MakeServer, own_redis: RedisServer):
    own_redis.stop()
    app = make_server(own_redis.url())
    assert [ask(app) for _ in range(4)] == [200, 200, 200, 429]


def test_an_address_that_is_none_of_redis_keeps_the_site_from_starting(make_server: MakeServer):
    with pytest.raises(BadInputError, match="REDIS_URL"):
        make_server("rediss+nonsense://x")


def test_no_address_of_a_visitor_is_logged(make_server: MakeServer, redis_url: str, caplog: Any):
    app = make_server(redis_url, "characters=1/hour")
    with caplog.at_level(logging.DEBUG):
        answers = [
            app.test_client().get("/api/characters", environ_overrides={"REMOTE_ADDR": "203.0.113.7"})
            for _ in range(3)
        ]
    assert answers[-1].status_code == 429
    assert "203.0.113.7" not in caplog.text
