"""What a place for files can do, wherever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Listed:
    """A file that is there.

    Attributes:
        name: inside its place.
        modified: when it was written, in seconds since 1970.
    """

    name: str
    modified: float


class Files(Protocol):
    """Files by name, all in one place. A name may have slashes, for what is not listed.

    Every method raises `StorageAwayError` (503) where the place cannot be reached in time.
    """

    @property
    def shared(self) -> bool:
        """Whether other machines may use the place: then no process can know that it is the only one."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file: after a crash it is there whole or not at all.

        Raises:
            FileExistsError: the name is taken by something else; nothing changed.
            StorageFullError: no room; nothing is left behind.
        """
        ...

    def read(self, name: str) -> bytes:
        """Return a file's whole content.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of a name."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; harmless where there is none."""
        ...

    def list(self) -> list[Listed]:
        """Return every file, half-written ones too, by name; of those without a slash in their name."""
        ...

    def finish(self, name: str, final_name: str) -> None:
        """Make a listed file durable under its final name, which may be the one that it has.

        Raises:
            FileExistsError: the final name is taken.
        """
        ...

    def set_aside(self, name: str) -> str:
        """Move a file where `list` does not see it, and return its new name."""
        ...
