"""Files that are whole and on disk when a function returns: written elsewhere, flushed, renamed."""

from __future__ import annotations

import errno
import fcntl
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from kyara.errors import BusyError, KyaraError, StorageFullError, UnavailableError

FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def replace_file(path: Path, data: bytes | str) -> None:
    """Make a file's content `data`; after a crash it is the old or the new one, never a part.

    Raises:
        OSError: it cannot be written; the old content stays.
    """
    with open_replacement(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def open_replacement(path: Path, partial: str = "", *, new: bool = False) -> Iterator[IO[bytes]]:
    """Write a file piece by piece; it is in its place, whole and flushed, when the block has ended well.

    Args:
        path: of the file.
        partial: its name until then; by default one that no other process uses.
        new: neither name may be taken; else an old file is replaced.

    Raises:
        FileExistsError: a name is taken that is to be new.
        OSError: it cannot be written; what was there stays.
    """
    part = path.with_name(partial or f".{path.name}.{os.getpid()}.partial")
    try:
        with part.open("xb" if new else "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if new:
            move_file(part, path)
        else:
            os.replace(part, path)
            sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def move_file(source: Path, target: Path) -> None:
    """Move a file to a place that is free; it is whole in one of the two places at any moment.

    From one disk to another it is copied, so a crash just before the old one goes leaves both.

    Raises:
        FileExistsError: the place is taken; nothing changed.
        OSError: it cannot be moved; it is where it was.
    """
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(source, target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def _copy_over(source: Path, target: Path) -> None:
    """Move a file to another disk."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.copy2(source, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.rename(partial, target)
    sync_folder(target.parent)
    try:
        source.unlink()
    except OSError:
        target.unlink()
        raise


def find_partials(path: Path) -> list[Path]:
    """Return what writing a file, or moving one to its place, has left beside it where it was killed."""
    name = glob.escape(path.name)
    return [*path.parent.glob(f".{name}.*.partial"), *path.parent.glob(f".{name}.partial")]


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Tell whether a process holds a lock file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def hold_lock(path: Path, *, busy: str = "", remove: bool = False) -> Iterator[None]:
    """Hold a lock file exclusively, among threads and processes; the system releases it at their end.

    Args:
        path: of the lock file, which is made if need be.
        busy: what to say where another one holds it; without, it is waited for.
        remove: whether the file goes at the end.

    Raises:
        BusyError: another one holds it, and `busy` is given.
        OSError: it cannot be opened.
    """
    descriptor = _take_lock(path, busy)
    try:
        yield
    finally:
        if remove:
            with suppress(OSError):
                path.unlink()
        os.close(descriptor)


def _take_lock(path: Path, busy: str) -> int:
    """Lock a file, and not one that somebody has removed meanwhile; return its descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise BusyError(busy) from error
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def explain_os_error(error: OSError, what: str, kept: str) -> KyaraError:
    """Return the sentence for a file or folder that could not be written; `kept` says what is safe."""
    reason = error.strerror or str(error)
    if error.errno in FULL_ERRNOS:
        return StorageFullError(f"The disk that holds {what} is full ({reason}). {kept}")
    return UnavailableError(f"{what} cannot be written ({reason}). {kept}")


def check_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written into, before work whose results go there; make it.

    Raises:
        KyaraError: it cannot be written into.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise explain_os_error(error, str(folder), "Nothing was done.") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty where there is none that can be read."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return stored if isinstance(stored, dict) else {}


def explain_sqlite_error(error: Exception, path: Path, otherwise: str) -> KyaraError:
    """Return the sentence for an SQLite file that could not be used.

    `otherwise` is said where the disk is not full and nobody else writes.
    """
    code = getattr(error, "sqlite_errorname", "")
    if code in ("SQLITE_FULL", "SQLITE_IOERR_WRITE"):  # a quota shows as the second
        return StorageFullError(
            f"The disk that holds {path} is full, or cannot be written. Nothing was changed."
        )
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return BusyError(f"Another process is writing to {path}; try again.")
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return UnavailableError(f"{otherwise} Nothing was changed.")
    return KyaraError(f"{otherwise} Nothing was changed.")
