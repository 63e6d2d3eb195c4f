"""The loaded model and the bounded queue in front of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import current_app

from classification import Classifier
from kyara.errors import BundleError, BusyError


class ModelQueue:
    """The loaded model and the bounded queue in front of it."""

    def __init__(self, classifier: Classifier | None, reason: str, places: int) -> None:
        """Take the model, or why there is none, and how many requests may wait or run at once."""
        self._classifier = classifier
        self._reason = reason
        self._places = threading.BoundedSemaphore(places)
        self.on_use: Callable[[], None] = lambda: None
        """Called whenever somebody asks for the model; must be quick."""

    @property
    def classifier(self) -> Classifier:
        """The model that serves; take it once for everything that must be of one model.

        Raises:
            BundleError: none does.
        """
        self.on_use()
        classifier = self._classifier
        if classifier is None:
            raise BundleError(self._reason)
        return classifier

    def serve(self, classifier: Classifier) -> None:
        """Put another model in the place of the one that serves; whoever uses that one keeps it."""
        self._classifier = classifier

    def serves(self, name: str, version: str) -> bool:
        """Tell whether this bundle is the one that serves."""
        classifier = self._classifier
        return classifier is not None and (name, version) == (
            classifier.bundle.name,
            classifier.bundle.version,
        )

    def complain(self, reason: str) -> None:
        """Say why there is no model; one that serves goes on."""
        self._reason = reason

    @contextmanager
    def place(self) -> Iterator[Classifier]:
        """Hold a place in the queue.

        Raises:
            BusyError: every place is taken.
            BundleError: no model serves.
        """
        classifier = self.classifier
        if not self._places.acquire(blocking=False):
            raise BusyError("Many people are asking at once. Please try again in a few seconds.")
        try:
            yield classifier
        finally:
            self._places.release()


def find_model() -> ModelQueue:
    """Return this application's model."""
    return current_app.extensions["kyara_model"]
