"""Running workers take up a promotion or a rollback: the new model is loaded beside the old one.

A thread of each worker looks at the registry (`registry.json`, or the shared database) twice a second,
and at once when another server says so. The new bundle is loaded, with what was taught, while the old
one goes on answering; then one assignment puts it in the old one's place. Whoever is answering keeps the
model that it took; the old one is freed with the last of them.

Whatever is wrong with the registry or the new bundle, the old one goes on, and it is tried again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path

from kyara.errors import BundleError, KyaraError
from kyara.recognition.classifier import Classifier
from kyara.recognition.name_search import prepare_search
from kyara.recognition.neighbour_index import INDEX_FROM
from kyara.registry import Models
from kyara.storage.events import TAUGHT, Events
from kyara.web.serving.model_queue import ModelQueue

LOOK_EVERY_S = 0.5
NAMES_AFTER_S = 2.0
"""After the start: the first requests go before the second that all names take to be made searchable."""
RETRY_S = (2.0, 5.0, 15.0, 60.0)
"""After so many failures in a row it is tried again so much later; a change is seen at once."""

logger = logging.getLogger("kyara")


class ModelWatch:
    """Keeps a queue's model the one that serves, for as long as the queue lives."""

    def __init__(
        self,
        queue: ModelQueue,
        models: Models,
        taught: Path | str,
        events: Events,
        index_from: int = INDEX_FROM,
    ) -> None:
        """Load the model that serves; there may be none yet.

        Args:
            queue: gets the models.
            models: which one serves.
            taught: where taught characters are kept; see `registry.find_taught`.
            events: that other servers send.
            index_from: as of `Classifier`.
        """
        self._queue = weakref.ref(queue)
        self._models = models
        self._taught = taught
        self._events = events
        self._index_from = index_from
        self._seen: Hashable = "never"
        self._told: set[str] = set()
        self._failures = 0
        self._retry_at = 0.0
        self._process = 0
        self._thread: threading.Thread | None = None
        self._naming: threading.Timer | None = None
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self.look()

    def start(self) -> None:
        """Go on looking, in a thread of this process; harmless if it does already."""
        if self._process == os.getpid():
            return
        with self._turn:
            if self._process != os.getpid():
                self._process = os.getpid()
                self._thread = threading.Thread(target=self._watch, name="model-watch", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop looking, and close the registry."""
        self._ended.set()
        if self._naming is not None:
            self._naming.cancel()
        if self._thread is not None and self._process == os.getpid():
            self._thread.join()

    def _watch(self) -> None:
        while self._queue() is not None and not self._ended.is_set():
            if self._events.wait(LOOK_EVERY_S) == TAUGHT:
                self._wake()
            self.look()
        self._events.close()
        self._models.close()

    def _wake(self) -> None:
        """Let the model that serves look for what was taught."""
        queue = self._queue()
        if queue is not None:
            with suppress(BundleError):  # none serves yet
                queue.classifier.wake()

    def look(self) -> None:
        """Load what serves if the registry has changed since the last look, or that failed."""
        queue = self._queue()
        if queue is None:
            return
        try:
            seen = self._models.look()
            if seen == self._seen and not self._is_time_again():
                return
            self._seen = seen  # of before: a promotion that comes meanwhile is seen at the next look
            self._models.begin()
            self._load(queue)
        except KyaraError as error:
            queue.complain(str(error))
            if self._note_failure(str(error)):
                logger.error("%s", error)
        except Exception as error:  # whatever is wrong with the new one: the old one goes on
            if self._note_failure(repr(error)):
                logger.exception("The model that was promoted cannot be loaded; the old one goes on.")
        else:
            self._told.clear()
            self._failures = 0

    def _is_time_again(self) -> bool:
        return self._failures > 0 and time.monotonic() >= self._retry_at

    def _note_failure(self, told: str) -> bool:
        """Plan the next try; tell whether this is news."""
        self._retry_at = time.monotonic() + RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        if told in self._told:
            return False
        self._told.add(told)
        return True

    def _load(self, queue: ModelQueue) -> None:
        """Load the bundle that serves, unless the queue has it already."""
        bundle = self._models.load_serving()
        if queue.serves(bundle.name, bundle.version):
            return
        classifier = Classifier(bundle, taught=self._taught, index_from=self._index_from)
        queue.serve(classifier)
        logger.info("%s (version %s) serves.", bundle.name, bundle.version)
        after_s = NAMES_AFTER_S if self._naming is None else 0
        self._naming = threading.Timer(after_s, prepare_search, (classifier.characters,))
        self._naming.name, self._naming.daemon = "names", True
        self._naming.start()
