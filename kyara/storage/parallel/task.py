"""What workers do: a function that every process finds by its name, and its options."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Record:
    """A piece of an item's result.

    Attributes:
        entry: what JSON can hold.
        data: bytes that belong to it.
    """

    entry: Mapping[str, Any]
    data: bytes = b""


Do = Callable[[str], Iterator[Record]]
"""The name of an item → its result. It raises a KyaraError where the item is at fault; what it gave
until then is kept."""
Opener = Callable[[Mapping[str, Any]], AbstractContextManager[Do]]
"""Options → the function, with all that it needs loaded once for a worker's whole life."""


@dataclass(frozen=True)
class Task:
    """Work for any process.

    Attributes:
        opener: `module:function`, an `Opener`.
        options: for it; what JSON can hold. All that decides the results is in them.
        folder: where relative names start.
    """

    opener: str
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = field(default_factory=os.getcwd)

    def to_json(self) -> dict[str, Any]:
        """Return what `Task(**data)` takes."""
        return asdict(self)

    def open(self) -> AbstractContextManager[Do]:
        """Load what the worker needs. The process works in the task's folder from then on.

        Raises:
            KyaraError: it cannot be loaded.
        """
        os.chdir(self.folder)
        module, _, name = self.opener.partition(":")
        opener: Opener = getattr(import_module(module), name)
        return opener(self.options)
