"""The models of an installation: what serves, promotion, rollback."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

from kyara.errors import BundleError, NoSuchBundleError
from kyara.recognition.backbone import load_backbone
from kyara.recognition.bundle import Bundle, load_bundle
from kyara.registry.history import Registry, StepKeeper, describe_step
from kyara.registry.in_file import FileSteps
from kyara.registry.published import BundleStore
from kyara.storage.events import PROMOTED, Events

_log = logging.getLogger("kyara")


class Models:
    """Bundles, and which of them serves.

    Attributes:
        folder: the model folder.
        shared: several servers follow the same steps.
    """

    def __init__(self, bundles: BundleStore, steps: StepKeeper, events: Events) -> None:
        self._bundles = bundles
        self._steps = steps
        self._events = events
        self.folder = bundles.folder
        self.shared = not isinstance(steps, FileSteps)

    def read(self) -> Registry:
        """Read which bundle serves, and the history; empty if nothing was ever promoted.

        Raises:
            BundleError: the registry cannot be read.
        """
        return self._steps.read()

    def look(self) -> Hashable:
        """Return something that changes whenever another bundle serves; cheap."""
        return self._steps.look()

    def find_serving(self) -> Path:
        """Return the folder of the bundle that serves; it is fetched if it is not here yet.

        Raises:
            BundleError: nothing serves, or the bundle is nowhere.
        """
        return self._bundles.find(self._find_step())

    def find(self, name: str) -> Path:
        """Return the folder of a bundle that is here, or that served once.

        Raises:
            BundleError: there is none of this name.
        """
        if (self.folder / name).is_dir():
            return self.folder / name
        return self._bundles.find(self.read().find_step(name))

    def load_serving(self) -> Bundle:
        """Load and verify the bundle that serves.

        Raises:
            BundleError: nothing serves, or it cannot be loaded.
        """
        step = self._find_step()
        return self._bundles.load(step) if self.shared else load_bundle(self._bundles.find(step))

    def promote(
        self,
        name: str,
        *,
        check: Callable[[str, str], None] = lambda serving, version: None,
        note: Mapping[str, Any] | None = None,
    ) -> Bundle:
        """Make a bundle the one that serves, after loading, verifying and publishing it.

        Args:
            name: of the bundle's folder under the model folder.
            check: called with the name of the bundle that serves (empty if none does) and the version
                of the new one, while nobody else can promote; refuses by raising.
            note: what else the history says of this step, such as the reason of a forced one.

        Returns:
            The bundle that serves now.

        Raises:
            BundleError: the bundle cannot be loaded, or the registry cannot be read; what served goes on
                serving.
            KyaraError: what `check` raises, or the bundle cannot be published, or the registry cannot be
                written; likewise.
        """
        bundle = load_named_bundle(name, self.folder)
        self._bundles.publish(bundle)
        with self._steps.change() as (registry, add):
            check(registry.serving, bundle.version)
            add({**describe_step("promote", bundle), **(note or {})})
        self._events.publish(PROMOTED)
        return bundle

    def roll_back(self, *, note: Mapping[str, Any] | None = None) -> Bundle:
        """Make the bundle serve that served before the last promotion.

        Returns:
            The bundle that serves now.

        Raises:
            BundleError: there is none before, it cannot be loaded, or it is another one than it was;
                what served goes on serving.
        """
        standing = self.read().list_standing()
        if len(standing) > 1:
            self._bundles.find(standing[-2])  # fetched before others have to wait
        with self._steps.change() as (registry, add):
            standing = registry.list_standing()
            if len(standing) < 2:
                raise BundleError("No model served before this one: there is nothing to roll back to.")
            before, undone = standing[-2:]
            bundle = self._bundles.load(before)
            load_backbone(bundle)
            add({**describe_step("rollback", bundle), "undone": undone["name"], **(note or {})})
        self._events.publish(PROMOTED)
        return bundle

    def close(self) -> None:
        """Close the database; the next call opens it again."""
        self._steps.close()

    def begin(self) -> None:
        """Where a shared registry is empty, make the bundle serve that `registry.json` names here.

        So the first server of an installation brings the model that it was shipped with. One server does
        it, however many start at once.

        Raises:
            KyaraError: it cannot be loaded, published or written; it may be tried again.
        """
        name = FileSteps(self.folder).read().serving if self.shared else ""
        if not name or self.read().history:
            return
        bundle = load_named_bundle(name, self.folder)
        self._bundles.publish(bundle)
        with self._steps.change() as (registry, add):
            if registry.history:
                return
            add({**describe_step("promote", bundle), "note": "the registry was empty"})
        _log.info("The shared registry was empty: %s (version %s) serves.", name, bundle.version)
        self._events.publish(PROMOTED)

    def _find_step(self) -> Mapping[str, Any]:
        registry = self.read()
        if not registry.serving:
            raise BundleError(
                "No model serves: nothing was promoted yet. Use `python -m kyara promote NAME`, or put "
                f"a bundle and its registry.json into {self.folder}."
            )
        return registry.find_step(registry.serving)


def load_named_bundle(name: str, folder: Path) -> Bundle:
    """Load and verify a bundle of the model folder, its network as well.

    Raises:
        NoSuchBundleError: the name leads elsewhere or nowhere.
        BundleError: the bundle cannot be loaded.
    """
    if Path(name).name != name or name in ("", "..") or not name.isprintable() or len(name) > 100:
        raise NoSuchBundleError(
            f"A bundle is named by its folder under {folder}; received {ascii(name)[:120]}."
        )
    if not (folder / name).is_dir():
        raise NoSuchBundleError(f"There is no bundle {name} under {folder}.")
    bundle = load_bundle(folder / name)
    load_backbone(bundle)
    return bundle
