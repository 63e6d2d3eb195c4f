"""Files in a local folder; one with its final name is whole, and survives a power cut."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from kyara.errors import StorageFullError, UnavailableError
from kyara.storage.atomic import FULL_ERRNOS, move_file, open_replacement
from kyara.storage.files.place import Listed

SET_ASIDE = "set_aside"
"""Sub-folder for what cannot be used."""


def part_name(name: str) -> str:
    """Return the name that a file has while it is being written."""
    return f".{name}.part"


class FolderFiles:
    """A folder of files; see `place.Files`. What the system refuses to read is raised as its `OSError`.

    Attributes:
        folder: where they are; made with the first file.
    """

    shared = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def __str__(self) -> str:
        return str(self.folder)

    def write(self, name: str, data: bytes) -> None:
        """Write a file: elsewhere first, flushed, then renamed."""
        target = self.folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_replacement(target, part_name(target.name), new=True) as file:
                file.write(data)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno in FULL_ERRNOS:
                raise StorageFullError(
                    f"There is no room for these {len(data):,} bytes ({os.strerror(error.errno)}). "
                    "They were not stored; please send them again later."
                ) from error
            raise UnavailableError(
                f"Nothing can be stored now ({os.strerror(error.errno or 0)}). Please send it later."
            ) from error

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def exists(self, name: str) -> bool:
        return (self.folder / name).exists()

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def list(self) -> list[Listed]:
        """Return every file, half-written ones too, by name; links are not files."""
        found = []
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    try:
                        if entry.is_file(follow_symlinks=False):
                            modified = entry.stat(follow_symlinks=False).st_mtime
                            found.append(Listed(entry.name, modified))
                    except FileNotFoundError:  # another process finished or removed it
                        continue
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda file: file.name)

    def finish(self, name: str, final_name: str) -> None:
        """Flush a file that its writer may not have got to flush, and give it its final name."""
        descriptor = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if name != final_name:
            move_file(self.folder / name, self.folder / final_name)

    def set_aside(self, name: str) -> str:
        aside = self.folder / SET_ASIDE
        aside.mkdir(exist_ok=True)
        free, number = name, 1
        while (aside / free).exists():
            free, number = f"{number}-{name}", number + 1
        move_file(self.folder / name, aside / free)
        return f"{SET_ASIDE}/{free}"


class FolderLock:
    """Says which processes use a folder; the system releases it however a process ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._descriptor = -1

    def take_alone(self) -> bool:
        """Lock the folder exclusively; return False if another process uses it.

        Raises:
            OSError: the folder cannot be used.
        """
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Use the folder along with others; waits while another holds it alone."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        """Release the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
