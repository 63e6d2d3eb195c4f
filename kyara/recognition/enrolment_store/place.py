"""What the store asks of the place where things are kept: a file or a database server."""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import Enum
from typing import Protocol

from sqlalchemy import Connection


class Look(Enum):
    """What a look at the place tells.

    Attributes:
        SAME: nothing happened that is worth a question, or it is not yet time for one.
        CHANGED: there may be changes.
        ANEW: it is another database than before; everything is to be read.
        GONE: what was there is there no more.
    """

    SAME = "same"
    CHANGED = "changed"
    ANEW = "anew"
    GONE = "gone"


class Place(Protocol):
    """Where taught characters are kept; safe for many threads but for `look`, `follow` and `close`."""

    def look(self) -> Look:
        """Tell whether anything may have changed since the last reading; it costs next to nothing."""
        ...

    def follow(self) -> AbstractContextManager[Connection]:
        """Read what `look` found, all of it at one moment; the next `look` compares with this moment."""
        ...

    def exists(self) -> bool:
        """Tell whether there is anything to read."""
        ...

    def read(self) -> AbstractContextManager[Connection]:
        """Read, from any thread."""
        ...

    def change(self, *, erase: bool = False) -> AbstractContextManager[Connection]:
        """Make one transaction, alone: all of it is kept when this ends, or nothing is.

        Args:
            erase: leave nothing of what is deleted behind, as far as the place can do that.
        """
        ...

    def explain(self, what: str) -> AbstractContextManager[None]:
        """Turn the place's errors into sentences.

        Args:
            what: what was being done: `read` or `changed`.
        """
        ...

    def wake(self) -> None:
        """Let the next `look` look, however short the last one is ago."""
        ...

    def close(self) -> None:
        """Close every connection; the next call opens them again, and `look` finds everything anew."""
        ...
