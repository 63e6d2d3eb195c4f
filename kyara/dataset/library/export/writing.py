"""Exported files: looked at before the first is written, then written, each whole.

A format gives its files in the same order each time that it is asked, so they are made twice and never
all in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from kyara.errors import BadInputError, ConflictError
from kyara.storage.atomic import explain_os_error, open_replacement

NAMED_AT_MOST = 3
"""Files that a refusal names."""

MakeFiles = Callable[[], Iterable["NewFile"]]


@dataclass(frozen=True)
class NewFile:
    """A file to be written.

    Attributes:
        path: where to.
        content: of it.
        keeps: whether the content has everything in it that the file there has.
    """

    path: Path
    content: bytes
    keeps: bool = False


def check_files(
    make: MakeFiles,
    *,
    overwrite: bool = False,
    progress: Callable[[NewFile, str], object] = lambda file, state: None,
) -> None:
    """Look at all files before the first is written.

    Args:
        make: gives the files.
        overwrite: files with another content may be replaced.
        progress: is told of each file, and whether it is `new`, `changed` or the `same`.

    Raises:
        ConflictError: one is there with another content, and may not be replaced.
        BadInputError: two files would have one name, or a folder has it.
        KyaraError: one that is there cannot be read.
    """
    others: list[Path] = []
    seen: set[Path] = set()
    for file in make():
        if file.path in seen:
            raise BadInputError(f"Two pictures would both write {file.path}.")
        seen.add(file.path)
        old = read_file(file.path)
        state = "new" if old is None else "same" if old == file.content else "changed"
        if state == "changed" and not (file.keeps or overwrite):
            others.append(file.path)
        progress(file, state)
    if others:
        named = ", ".join(map(str, others[:NAMED_AT_MOST]))
        more = f" and {len(others) - NAMED_AT_MOST} more" if len(others) > NAMED_AT_MOST else ""
        raise ConflictError(
            f"Already there, with another content: {named}{more}. Nothing was written; --overwrite "
            "replaces them."
        )


def write_files(
    make: MakeFiles, *, overwrite: bool = False, progress: Callable[[int], object] = lambda _: None
) -> None:
    """Write the files that are not there or differ; folders are made.

    Args:
        make: gives the files, as `check_files` was given them.
        overwrite: files with another content may be replaced.
        progress: is told of each file.

    Raises:
        ConflictError: a file has come there meanwhile.
        KyaraError: one cannot be written; those before it are there.
    """
    for file in make():
        old = read_file(file.path)
        if old != file.content:
            try:
                file.path.parent.mkdir(parents=True, exist_ok=True)
                is_new = old is None or not (file.keeps or overwrite)
                with open_replacement(file.path, new=is_new) as out:
                    out.write(file.content)
            except FileExistsError as error:
                raise ConflictError(
                    f"Somebody else has written {file.path} meanwhile; it was left as it is."
                ) from error
            except OSError as error:
                raise explain_os_error(
                    error, str(file.path), "The files before it are there."
                ) from error
        progress(1)


def read_file(path: Path) -> bytes | None:
    """Return what a file has; None if there is none.

    Raises:
        BadInputError: a folder has the name.
        KyaraError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError as error:
        raise BadInputError(f"There is a folder {path}, where a file is to be written.") from error
    except OSError as error:
        raise explain_os_error(error, str(path), "Nothing was written.") from error
