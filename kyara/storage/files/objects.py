"""Files behind an fsspec URL: one object each, written by one request that keeps all of it or nothing.

Every call has a deadline: a store that hangs must not hold the few threads of the server. After a call
that failed, the next ones are refused at once for a moment, so that an outage costs one wait, not many.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from kyara.errors import BadInputError, KyaraError, StorageAwayError, StorageFullError
from kyara.storage.extras import name_install
from kyara.storage.files.place import Listed

DEADLINE_S = 5.0
"""Longest wait for one object, retries included."""
LIST_DEADLINE_S = 30.0
"""Of a whole listing. A start waits for one, and must be done before gunicorn takes it for hung."""
PAUSE_S = 1.0
"""After a failure nobody asks for so long."""
SET_ASIDE = "set_aside"
WHOLE_PROTOCOLS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "memory")
"""Where an object appears whole or not at all."""
_FULL_CODES = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage")
_CONNECT_TIMEOUT_S = 2
_ATTEMPTS = 3

_log = logging.getLogger("kyara")


class ObjectFiles:
    """Files below an fsspec URL; see `place.Files`."""

    shared = True

    def __init__(
        self, url: str, name: str, endpoint_url: str = "", *, deadline_s: float | None = None
    ) -> None:
        """Take the place; nothing is asked yet.

        Args:
            url: of fsspec, such as `s3://bucket/prefix`.
            name: of this kind of files below it.
            endpoint_url: of an S3 server that is not Amazon's.
            deadline_s: longest wait for one object, by default `DEADLINE_S`.

        Raises:
            BadInputError: the URL cannot hold files safely, or its driver is not installed.
        """
        self._url = f"{url.rstrip('/')}/{name}"
        self._deadline_s = deadline_s or DEADLINE_S
        self._options = choose_options(url, endpoint_url)
        self._opened: tuple[int, Any] | None = None
        self._opening = threading.Lock()
        self._away_until = 0.0
        self._is_away = False
        try:
            import fsspec

            self._root = fsspec.core.strip_protocol(self._url)
            fsspec.get_filesystem_class(self._url.partition("://")[0])
        except (ImportError, ValueError) as error:
            raise BadInputError(
                f"FILES_URL {url!r} cannot be used ({error}): `{name_install('scale')}` brings S3, "
                "other object stores need a driver of their own."
            ) from error

    def __str__(self) -> str:
        return self._url

    def write(self, name: str, data: bytes) -> None:
        """Write an object by one request, which the store refuses where the name is taken."""
        try:
            self._call("pipe_file", self._path(name), data, mode="create")
        except FileExistsError as error:
            # An answer that got lost was asked for again: then the object is there, and is ours.
            if self.exists(name) and self.read(name) == data:
                return
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from error

    def read(self, name: str) -> bytes:
        return self._call("cat_file", self._path(name))

    def exists(self, name: str) -> bool:
        try:
            self._call("info", self._path(name))
        except FileNotFoundError:
            return False
        return True

    def remove(self, name: str) -> None:
        try:
            self._call("rm_file", self._path(name))
        except FileNotFoundError:
            return

    def list(self) -> list[Listed]:
        try:
            found = self._call("ls", self._root, detail=True, deadline_s=LIST_DEADLINE_S)
        except FileNotFoundError:
            return []
        files = [
            Listed(entry["name"].rpartition("/")[2], _read_time(entry))
            for entry in found
            if entry["type"] == "file"
        ]
        return sorted(files, key=lambda file: file.name)

    def finish(self, name: str, final_name: str) -> None:
        """Give an object its final name; it is durable already."""
        if name != final_name:
            if self.exists(final_name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final_name)
            self._move(name, final_name)

    def set_aside(self, name: str) -> str:
        free, number = f"{SET_ASIDE}/{name}", 1
        while self.exists(free):
            free, number = f"{SET_ASIDE}/{number}-{name}", number + 1
        self._move(name, free)
        return free

    def _move(self, name: str, target: str) -> None:
        """Copy, then remove: a kill in between leaves both."""
        self._call("cp_file", self._path(name), self._path(target))
        self.remove(name)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _call(self, method: str, *arguments: Any, deadline_s: float | None = None, **named: Any) -> Any:
        """Ask the store, within the deadline.

        Raises:
            OSError: what the store says of this one object: there is none, or there is one.
            StorageFullError: it has no room.
            StorageAwayError: anything else.
        """
        if time.monotonic() < self._away_until:
            raise self._describe_outage("it did not answer a moment ago")
        try:
            answer = self._ask(method, arguments, named, deadline_s or self._deadline_s)
        except Exception as error:  # each store raises its own kinds
            if (answered := _find_answer(error, self._url)) is not None:
                raise answered from error
            self._note_outage(error)
            raise self._describe_outage(type(error).__name__) from error
        if self._is_away:
            self._is_away = False
            _log.warning("The files at %s can be reached again.", self._url)
        return answer

    def _ask(
        self, method: str, arguments: tuple[Any, ...], named: dict[str, Any], deadline_s: float
    ) -> Any:
        system = self._open()
        if not system.async_impl:
            return getattr(system, method)(*arguments, **named)
        from fsspec.asyn import sync

        call: Callable[..., Any] = getattr(system, f"_{method}")
        return sync(system.loop, call, *arguments, timeout=deadline_s, **named)

    def _open(self) -> Any:
        """Return this process's connection: one that was made before a fork is of no use after it."""
        with self._opening:
            if self._opened is None or self._opened[0] != os.getpid():
                import fsspec

                system = fsspec.core.url_to_fs(self._url, **self._options)[0]
                system.retries = 1  # of s3fs: botocore under it tries again already
                self._opened = (os.getpid(), system)
            return self._opened[1]

    def _note_outage(self, error: Exception) -> None:
        self._away_until = time.monotonic() + PAUSE_S
        if not self._is_away:
            self._is_away = True
            _log.error("The files at %s cannot be reached: %r", self._url, error)

    def _describe_outage(self, reason: str) -> StorageAwayError:
        return StorageAwayError(
            f"The place where files are kept cannot be reached ({reason}). Nothing that was accepted is "
            "lost; please try again in a moment."
        )


def choose_options(url: str, endpoint_url: str) -> dict[str, Any]:
    """Return what fsspec is told beside the URL."""
    protocol = url.partition("://")[0]
    if protocol not in WHOLE_PROTOCOLS:
        raise BadInputError(
            f"FILES_URL {url!r} names no object store: use one of {', '.join(WHOLE_PROTOCOLS)}, or file."
        )
    if protocol not in ("s3", "s3a"):
        return {}
    config: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "read_timeout": DEADLINE_S,
        "retries": {"mode": "standard", "max_attempts": _ATTEMPTS},
    }
    own = endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if own:  # Amazon's way, the bucket as part of the host's name, is more than most others know
        config["s3"] = {"addressing_style": "path"}
    options: dict[str, Any] = {"use_listings_cache": False, "config_kwargs": config}
    return {**options, "endpoint_url": own} if own else options


def _find_answer(error: Exception, url: str) -> Exception | None:
    """Return what a store said of one object; None where it is the store itself that is at fault."""
    if isinstance(error, KyaraError):
        return error
    said = f"{error!r} {error.__cause__!r}"
    if any(code in said for code in _FULL_CODES):
        return StorageFullError(
            f"There is no room at {url}. Nothing was stored; please try again later."
        )
    if "NoSuchBucket" in said:
        return None
    if isinstance(error, FileNotFoundError | FileExistsError):
        return error
    if "PreconditionFailed" in said:
        return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    return None


def _read_time(entry: dict[str, Any]) -> float:
    """Return when an object was written; every store has its own name for it."""
    for key in ("LastModified", "last_modified", "updated", "mtime", "created"):
        value = entry.get(key)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return time.time()  # not known: as good as new, so nobody touches it
