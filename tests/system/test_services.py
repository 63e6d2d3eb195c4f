"""The servers that other tests build on answer, are empty for each test, and come back after a kill."""

from __future__ import annotations

import fsspec
import psycopg
import pytest
import redis
from services import PostgresServer, RedisServer
from sqlalchemy import create_engine, text


@pytest.mark.parametrize("turn", range(2))
def test_postgres_is_empty_for_each_test(postgres_url: str, turn: int):
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE faces (name TEXT)"))  # fails where it is there
        connection.execute(text("INSERT INTO faces VALUES ('琴吹䌷')"))
        assert connection.scalar(text("SELECT name FROM faces")) == "琴吹䌷"
    engine.dispose()


def test_postgres_keeps_what_was_committed_over_a_kill(postgres_server: PostgresServer):
    name = postgres_server.make_database()
    postgres_server.execute("CREATE TABLE faces (name TEXT)", name)
    postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        postgres_server.execute("SELECT 1", name)
    postgres_server.start()
    postgres_server.execute("SELECT * FROM faces", name)
    postgres_server.drop_database(name)


@pytest.mark.parametrize("turn", range(2))
def test_redis_is_empty_for_each_test(redis_url: str, turn: int):
    with redis.Redis.from_url(redis_url) as client:
        assert client.incr("count") == 1


def test_redis_comes_back_on_its_port(redis_server: RedisServer):
    with redis.Redis.from_url(redis_server.url()) as client:
        client.set("kept", "no")
        redis_server.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("kept")
        redis_server.start()
        assert client.get("kept") is None


@pytest.mark.parametrize("turn", range(2))
def test_s3_is_empty_for_each_test(s3_url: str, turn: int):
    files, folder = fsspec.url_to_fs(s3_url, skip_instance_cache=True)
    assert files.ls(folder) == []
    files.pipe_file(f"{folder}/a/face.png", b"pixels")
    assert files.cat_file(f"{folder}/a/face.png") == b"pixels"
