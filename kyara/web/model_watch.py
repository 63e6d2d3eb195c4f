"""Running workers take up a promotion or a rollback: the new model is loaded beside the old one.

A thread of each worker looks at `registry.json` twice a second. The new bundle is loaded, with what was
taught, while the old one goes on answering; then one assignment puts it in the old one's place. Whoever
is answering keeps the model that it took; the old one is freed with the last of them.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from pathlib import Path

from classification import Classifier
from kyara.bundle import load_bundle
from kyara.errors import KyaraError
from kyara.registry import REGISTRY_FILE, find_serving
from kyara.web.api import ModelQueue

LOOK_EVERY_S = 0.5

logger = logging.getLogger("kyara")

_Seen = tuple[int, int, int] | None


class ModelWatch:
    """Keeps a queue's model the one that serves, for as long as the queue lives."""

    def __init__(self, queue: ModelQueue, folder: Path, taught: Path | str) -> None:
        """Load the model that serves; there may be none yet.

        Args:
            queue: gets the models.
            folder: the model folder.
            taught: where taught characters are kept; see `registry.find_taught`.
        """
        self._queue = weakref.ref(queue)
        self._folder = folder
        self._taught = taught
        self._seen: _Seen | str = "never"
        self._process = 0
        self._turn = threading.Lock()
        self.look()

    def start(self) -> None:
        """Go on looking, in a thread of this process; harmless where it does already."""
        if self._process == os.getpid():
            return
        with self._turn:
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._watch, name="model-watch", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while self._queue() is not None:
            pause.wait(LOOK_EVERY_S)
            try:
                self.look()
            except Exception:  # whatever is wrong with the new one: the old one goes on
                logger.exception("The model that was promoted cannot be loaded; the old one goes on.")

    def look(self) -> None:
        """Load what serves if the registry has changed since the last look."""
        seen = self._stat()
        queue = self._queue()
        if queue is None or seen == self._seen:
            return
        self._seen = seen  # of before: a promotion that comes meanwhile is seen at the next look
        try:
            classifier = self._load(queue)
        except KyaraError as error:
            queue.complain(str(error))
            logger.error("%s", error)
            return
        if classifier is not None:
            queue.serve(classifier)
            bundle = classifier.bundle
            logger.info("%s (version %s) serves.", bundle.name, bundle.version)

    def _stat(self) -> _Seen:
        try:
            about = os.stat(self._folder / REGISTRY_FILE)
        except OSError:
            return None
        return about.st_mtime_ns, about.st_ino, about.st_size

    def _load(self, queue: ModelQueue) -> Classifier | None:
        """Load the bundle that serves; None where the queue has it already."""
        bundle = load_bundle(find_serving(self._folder))
        if queue.serves(bundle.name, bundle.version):
            return None
        return Classifier(bundle, taught=self._taught)
