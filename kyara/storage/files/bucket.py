"""Objects in S3 buckets, by `s3://bucket/key`: listed a folder at a time, read, and asked about.

Nothing is written. What a store says, and that it does not answer, is raised as `OSError`, as a disk
does it. Credentials come from the environment: `AWS_ACCESS_KEY_ID` and the others that Amazon's own
clients know; `KYARA_FILES_ENDPOINT_URL` or `AWS_ENDPOINT_URL` names a server that is not Amazon's.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kyara.errors import KyaraError, NotInstalledError
from kyara.storage.extras import explain_missing
from kyara.storage.files.objects import choose_options

PROTOCOL = "s3://"
ANSWER_S = 120.0
"""Longest wait for one answer: an object is read whole."""


@dataclass(frozen=True)
class Stamp:
    """What tells whether a file or an object is still the same.

    Attributes:
        size: in bytes.
        mtime_ns: when it was written; of an object to the second, and the nanoseconds are a number made
            of its ETag, so another content in the same second has another one.
    """

    size: int
    mtime_ns: int


def check_installed() -> None:
    """Refuse to go on without the packages for S3.

    Raises:
        NotInstalledError: they are not there; the sentence says what brings them.
    """
    try:
        import s3fs  # noqa: F401
    except ModuleNotFoundError as error:
        raise NotInstalledError(explain_missing(error) or str(error)) from error


def split_url(url: str) -> tuple[str, str]:
    """Return bucket and key of `s3://bucket/key`; the key may be empty."""
    bucket, _, key = url.removeprefix(PROTOCOL).partition("/")
    return bucket, key


class Buckets:
    """All buckets that the environment's credentials open."""

    def __init__(self) -> None:
        self._opened: tuple[int, Any] | None = None
        self._opening = threading.Lock()

    def list(self, url: str, most: int | None = None) -> Iterator[tuple[str, Stamp | None]]:
        """Give what is in a folder: names, of objects with their stamp, of folders with None.

        Args:
            url: of the folder, without a slash at its end.
            most: at most so many.

        Raises:
            OSError: it cannot be read.
        """
        bucket, key = split_url(url)
        prefix = f"{key}/" if key else ""
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "Delimiter": "/"}
        if most is not None:
            asked["MaxKeys"] = most
        while True:
            answer = self._call("list_objects_v2", url, **asked)
            for one in answer.get("CommonPrefixes", ()):
                yield one["Prefix"][len(prefix) : -1], None
            for one in answer.get("Contents", ()):
                if name := one["Key"][len(prefix) :]:  # else it is what stands for the folder itself
                    yield name, _stamp(one["Size"], one)
            if most is not None or not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def stat(self, url: str) -> Stamp:
        """Return an object's stamp.

        Raises:
            OSError: there is no such object, or it cannot be asked about.
        """
        bucket, key = split_url(url)
        answer = self._call("head_object", url, Bucket=bucket, Key=key)
        return _stamp(answer["ContentLength"], answer)

    def read(self, url: str) -> tuple[Stamp, bytes]:
        """Return an object's stamp and content, which belong together.

        Raises:
            OSError: there is no such object, or it cannot be read.
        """
        bucket, key = split_url(url)
        answer, data = self._run(url, _fetch, bucket, key)
        if len(data) != answer["ContentLength"]:
            raise OSError(errno.EIO, "the connection broke", url)
        return _stamp(len(data), answer), data

    def _call(self, method: str, url: str, **asked: Any) -> Any:
        async def call(system: Any) -> Any:
            return await system._call_s3(method, **asked)

        return self._run(url, call)

    def _run(self, url: str, function: Any, *arguments: Any) -> Any:
        """Run an asynchronous function of the connection, within the deadline.

        Raises:
            OSError: whatever goes wrong.
        """
        from fsspec.asyn import sync

        try:
            system = self._connect()
            return sync(system.loop, function, system, *arguments, timeout=ANSWER_S)
        except KyaraError:
            raise
        except Exception as error:  # the client has kinds of its own for what goes wrong
            raise _explain(error, url) from error

    def _connect(self) -> Any:
        """Return this process's connection: one that was made before a fork is of no use after it."""
        with self._opening:
            if self._opened is None or self._opened[0] != os.getpid():
                check_installed()
                import fsspec

                from kyara.storage.settings import (
                    PlaceSettings,
                )  # loads pydantic  # pydantic: not for those without a bucket

                options = choose_options(PROTOCOL, PlaceSettings.read().files_endpoint_url)
                system = fsspec.filesystem("s3", **options)
                system.retries = 1  # botocore under it tries again already
                self._opened = (os.getpid(), system)
            return self._opened[1]


async def _fetch(system: Any, bucket: str, key: str) -> tuple[dict[str, Any], bytes]:
    answer = await system._call_s3("get_object", Bucket=bucket, Key=key)
    async with answer["Body"] as body:
        return answer, await body.read()


def _stamp(size: int, told: dict[str, Any]) -> Stamp:
    written: datetime = told["LastModified"]
    digest = hashlib.sha256(str(told.get("ETag", "")).strip('"').encode()).digest()
    nanoseconds = int.from_bytes(digest[:8]) % 10**9
    return Stamp(size, int(written.timestamp()) * 10**9 + nanoseconds)


def _explain(error: Exception, url: str) -> OSError:
    """Return what went wrong as a disk would say it."""
    said = f"{error!r} {error.__cause__!r}"
    if "NoSuchBucket" in said:  # not `FileNotFoundError`: nothing in it is known to be gone
        return OSError(errno.EIO, "there is no such bucket", url)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url)
    if isinstance(error, PermissionError) or "Credentials" in said:
        return PermissionError(
            errno.EACCES,
            "the store refuses it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY say who asks",
            url,
        )
    return OSError(errno.EIO, f"the store does not answer: {type(error).__name__}", url)
