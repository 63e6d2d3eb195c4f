"""Where pictures lie: folders of this machine, and buckets; listed, read, and asked about.

Everywhere in a library a path is a text: `/home/rin/pictures/a.jpg`, or `s3://bucket/prefix/a.jpg`. What
cannot be read is raised as `OSError`, whatever is behind the path.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PosixPath
from typing import Protocol

from kyara.errors import BadInputError
from kyara.storage.files.bucket import PROTOCOL, Buckets, Stamp
from kyara.storage.paths import show_path


@dataclass(frozen=True)
class Entry:
    """What a folder has.

    Attributes:
        name: in the folder.
        is_folder: whether it is one; a link to one is none.
        look: returns the file's stamp, None where it is no file. Raises `OSError`.
    """

    name: str
    is_folder: bool
    look: Callable[[], Stamp | None]


class Source(Protocol):
    """Where pictures lie. Every method raises `OSError` where something cannot be read."""

    def list(self, folder: str) -> Iterator[Entry]:
        """Give what is in a folder."""
        ...

    def check(self, folder: str) -> str:
        """Return what a folder is called without links.

        Raises:
            OSError: it cannot be read.
        """
        ...

    def stat(self, path: str) -> Stamp:
        """Return a file's stamp."""
        ...

    def read(self, path: str) -> tuple[Stamp, bytes]:
        """Return a file's stamp and content, which belong together."""
        ...

    def exists(self, path: str) -> bool:
        """Tell whether there is a file, or a link of the name."""
        ...


class FolderSource:
    """Folders of this machine; see `Source`."""

    def list(self, folder: str) -> Iterator[Entry]:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield Entry(entry.name, entry.is_dir(follow_symlinks=False), _Look(entry))

    def check(self, folder: str) -> str:
        os.scandir(folder).close()
        return os.path.realpath(folder, strict=True)

    def stat(self, path: str) -> Stamp:
        return _stamp(os.stat(path))

    def read(self, path: str) -> tuple[Stamp, bytes]:
        with open(path, "rb") as file:
            return _stamp(os.fstat(file.fileno())), file.read()

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)


@dataclass(frozen=True)
class _Look:
    entry: os.DirEntry[str]

    def __call__(self) -> Stamp | None:
        found = self.entry.stat()
        return _stamp(found) if stat.S_ISREG(found.st_mode) else None


class BucketSource:
    """Buckets; see `Source`."""

    def __init__(self) -> None:
        self._buckets = Buckets()

    def list(self, folder: str) -> Iterator[Entry]:
        for name, stamp in self._buckets.list(folder.rstrip("/")):
            if name:  # a key may have nothing between two slashes, where no path leads
                yield Entry(name, stamp is None, partial(_give, stamp))

    def check(self, folder: str) -> str:
        if next(self._buckets.list(folder, most=2), None) is None:  # one may stand for the folder
            raise FileNotFoundError(errno.ENOENT, "nothing lies there", folder)
        return folder

    def stat(self, path: str) -> Stamp:
        return self._buckets.stat(path)

    def read(self, path: str) -> tuple[Stamp, bytes]:
        return self._buckets.read(path)

    def exists(self, path: str) -> bool:
        try:
            self._buckets.stat(path)
        except FileNotFoundError:
            return False
        return True


_FIRST_PART = PROTOCOL.rstrip("/")
_FOLDERS, _BUCKETS = FolderSource(), BucketSource()


def find_source(path: str) -> Source:
    """Return what lists and reads a path."""
    return _BUCKETS if is_bucket(path) else _FOLDERS


def is_bucket(path: str | Path) -> bool:
    """Tell whether a path lies in a bucket."""
    return os.fspath(path).startswith(PROTOCOL)


def read_folder_name(text: str) -> str:
    """Return a folder or bucket that somebody names as a library has it.

    Raises:
        BadInputError: it is a URL, and none of a bucket.
    """
    if not is_bucket(text):
        if "://" in text and not os.path.exists(text):
            raise BadInputError(f"{show_path(text)} is no folder, and no s3://BUCKET/PREFIX.")
        return os.path.realpath(text)
    parts = [part for part in text.removeprefix(PROTOCOL).split("/") if part]
    if not parts or any(part.startswith(".") for part in parts):
        raise BadInputError(f"{show_path(text)} names no bucket: s3://BUCKET or s3://BUCKET/PREFIX.")
    return PROTOCOL + "/".join(parts)


def join_path(folder: str, path: str) -> str:
    """Return the path of what lies below a folder."""
    return f"{folder.rstrip('/')}/{path}"


def relate_path(path: str, folder: str) -> str:
    """Return the path below a folder of what lies in it."""
    return path.removeprefix(f"{folder.rstrip('/')}/")


class BucketPath(PosixPath):
    """The path of an object: names and parents as of a file, written as the URL that it is.

    No file can be opened by it; `find_source` reads what is there.
    """

    def __str__(self) -> str:
        is_whole = self.parts[:1] == (_FIRST_PART,)
        return PROTOCOL + "/".join(self.parts[1:]) if is_whole else super().__str__()


def make_path(text: str | Path) -> Path:
    """Return a path as pictures of a library have it."""
    if isinstance(text, str):
        return BucketPath(text) if is_bucket(text) else Path(text)
    return BucketPath(text) if text.parts[:1] == (_FIRST_PART,) else text


def refuse_buckets(paths: Iterable[str | Path], what: str) -> None:
    """Refuse what can be done in folders alone.

    Args:
        paths: of folders or pictures.
        what: the sentence that follows the first one in a bucket.

    Raises:
        BadInputError: one lies in a bucket.
    """
    found = next(filter(is_bucket, paths), None)
    if found is not None:
        raise BadInputError(f"{show_path(found)} lies in a bucket: {what}")


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns)


def _give(stamp: Stamp | None) -> Stamp | None:
    return stamp
