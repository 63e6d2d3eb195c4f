"""Fixtures: the servers in `services`: the first test that wants one starts it, each finds it empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from services import PostgresServer, RedisServer, S3Server, Server

AnyServer = TypeVar("AnyServer", bound=Server)


def _serve(server: AnyServer) -> Iterator[AnyServer]:
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL of this test run. Who kills it starts it again."""
    yield from _serve(PostgresServer())


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database."""
    name = postgres_server.make_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The Redis of this test run. Who kills it starts it again."""
    yield from _serve(RedisServer())


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis database."""
    import redis

    with redis.Redis.from_url(redis_server.url()) as client:
        client.flushall()
    return redis_server.url()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that a test may stop."""
    yield from _serve(RedisServer())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The S3 of this test run. Who kills it starts it again."""
    yield from _serve(S3Server())


@pytest.fixture
def s3_url(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The `s3://` URL of an empty bucket; the environment tells clients where it is."""
    _tell_clients(s3_server, monkeypatch)
    return f"s3://{s3_server.make_bucket()}"


@pytest.fixture
def own_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """An S3 that a test may stop; the environment tells clients where it is."""
    server = S3Server()
    _tell_clients(server, monkeypatch)
    yield from _serve(server)


def _tell_clients(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of SQLite and of PostgreSQL in turn."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'kyara.db'}"
