"""What lies behind URLs: databases, a file store, Redis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kyara.cli.checks.finding import Finding, fine, problem
from kyara.errors import KyaraError

_DATABASE_KEYS = ("DATABASE_URL", "REPORT_DATABASE_URL", "OPERATOR_DATABASE_URL")
_TIMEOUT_S = 5


def check_database(config: Mapping[str, Any]) -> Finding:
    """Does each configured database answer?"""
    keys = [key for key in _DATABASE_KEYS if config.get(key)]
    for key in keys:
        if trouble := _ask_database(config[key]):
            return problem(f"KYARA_{key}: {trouble}", "Is it running, and are name and password right?")
    return fine(f"{', '.join(keys)} answered." if keys else "SQLite files, no database server.")


def _ask_database(url: str) -> str:
    """Return what is wrong with a database; empty where it answers."""
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        address = make_url(url)
        options = {"connect_timeout": _TIMEOUT_S} if address.get_backend_name() == "postgresql" else {}
        engine = create_engine(address, connect_args=options, hide_parameters=True)
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        return f"{str(getattr(error, 'orig', None) or error).splitlines()[0]}."
    return ""


def check_files(config: Mapping[str, Any]) -> Finding:
    """Does the file store answer?"""
    from kyara.storage.files import open_files

    if not config.get("FILES_URL"):
        return fine("Local folders, no file store.")
    try:
        place = open_files(
            config["FILES_URL"],
            "user_report",
            Path(config["REPORT_FOLDER"]),
            config.get("FILES_ENDPOINT_URL", ""),
        )
        place.exists("doctor")
    except (KyaraError, OSError) as error:
        return problem(f"KYARA_FILES_URL: {error}", "Is it running, and are keys and bucket right?")
    return fine("FILES_URL answered.")


def check_redis(config: Mapping[str, Any]) -> Finding:
    """Does Redis answer?"""
    url = config.get("REDIS_URL")
    if not url:
        return fine("Limits and events are in memory, no Redis.")
    try:
        import redis
    except ImportError:
        return problem("KYARA_REDIS_URL is set; the package redis is missing.", "Install it.")
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S
        ) as one:
            one.ping()
    except (redis.RedisError, ValueError) as error:
        return problem(f"KYARA_REDIS_URL: {error}.", "Is it running, and is the URL right?")
    return fine("REDIS_URL answered.")
