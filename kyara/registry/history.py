"""The steps by which bundles came to serve: what they say, and what every keeper of them can do."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from kyara.recognition.bundle import MANIFEST_FILE, Bundle, hash_file
from kyara.storage.clock import stamp_time

Step = Mapping[str, Any]
"""`name`, `version`, `sha256` (of the manifest), `at`, `action` (`promote` or `rollback`) and notes."""


@dataclass(frozen=True)
class Registry:
    """What serves, and how it came to.

    Attributes:
        serving: name of the bundle that serves; empty if none does.
        history: the steps as they are stored, the oldest first.
    """

    serving: str
    history: tuple[Step, ...]

    def list_standing(self) -> list[Step]:
        """Return the promotions that no rollback has taken back; the last one serves.

        Who promotes what serves already changes nothing: of such promotions the last one stands.
        """
        standing: list[Step] = []
        for step in self.history:
            if step.get("action") == "rollback":
                same = [place for place, one in enumerate(standing) if _is_same(one, step)]
                del standing[same[-1] + 1 if same else -1 :]
            elif standing and _is_same(standing[-1], step):
                standing[-1] = step
            else:
                standing.append(step)
        return standing

    def find_step(self, name: str) -> Step:
        """Return the last step that made a bundle serve, or as much as is known of it."""
        steps = (step for step in reversed(self.history) if step.get("name") == name)
        return next(steps, {"name": name})


def _is_same(one: Step, other: Step) -> bool:
    """Tell whether two steps made the same bundle serve."""
    return all(one.get(key) == other.get(key) for key in ("name", "version"))


class StepKeeper(Protocol):
    """Keeps the steps, for one process or many."""

    def read(self) -> Registry:
        """Return what serves, and the history; empty if nothing was ever promoted.

        Raises:
            BundleError: it cannot be read.
        """
        ...

    def change(self) -> AbstractContextManager[tuple[Registry, Callable[[Step], None]]]:
        """Give what is there and what adds a step, to one promoter at a time.

        Nothing is kept where the block raises, or adds no step.
        """
        ...

    def look(self) -> Hashable:
        """Return something that changes with every step; cheap."""
        ...

    def close(self) -> None:
        """Close what is open; the next call opens it again."""
        ...


def describe_step(action: str, bundle: Bundle) -> dict[str, Any]:
    """Return the step by which a bundle comes to serve now."""
    return {
        "name": bundle.name,
        "version": bundle.version,
        "sha256": hash_file(bundle.backbone.parent / MANIFEST_FILE),
        "at": stamp_time(),
        "action": action,
    }
