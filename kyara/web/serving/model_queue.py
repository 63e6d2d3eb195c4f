"""The loaded model and the bounded queue in front of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apiflask import APIFlask
from flask import current_app, g, has_request_context, request

from kyara.errors import BundleError
from kyara.recognition.classifier import Classifier
from kyara.web.serving.admission import Admission, Deadline, QueueStats
from kyara.web.serving.process import ARRIVED

_GUARDED_ENDPOINTS = frozenset({"api.identify", "pictures.identify_pictures", "explanations.explain"})


class ModelQueue:
    """The loaded model and the bounded queue in front of it."""

    def __init__(self, places: int, *, running_places: int = 0, deadline_s: float = 10) -> None:
        """Begin without a model.

        Args:
            places: how many requests may wait or run at once.
            running_places: how many of them may run; 0 is one for each CPU core that may be used.
            deadline_s: how long a request may take, waiting included.
        """
        self._classifier: Classifier | None = None
        self._reason = ""
        self._turns = Admission(running_places or len(os.sched_getaffinity(0)), places)
        self._deadline_s = deadline_s
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
        """Replace the serving model; requests that hold the old one keep it."""
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
    def place(self, size: int = 1) -> Iterator[Classifier]:
        """Wait for a running place for work of so many crops, and hold it.

        Raises:
            BusyError: no place is free, or the answer would come too late.
            BundleError: no model serves.
        """
        classifier = self.classifier
        with self._turns.hold(self.find_deadline(), size, left=_find_leaving()):
            yield classifier

    def check_room(self) -> None:
        """Refuse if the queue is full.

        Raises:
            BusyError: all places are taken.
        """
        self._turns.check_room()

    def count(self) -> QueueStats:
        return self._turns.count()

    def find_deadline(self) -> Deadline:
        """Return the current request's deadline."""
        if not has_request_context():
            return Deadline(self._deadline_s)
        if "deadline" not in g:
            g.deadline = Deadline(self._deadline_s, request.environ.get(ARRIVED))
        return g.deadline


def _find_leaving() -> Callable[[], bool]:
    """Return what tells whether the client has gone away, if the server knows."""
    if not has_request_context():
        return lambda: False
    return request.environ.get("waitress.client_disconnected", lambda: False)


def set_up_queue(app: APIFlask) -> None:
    """Start the clock of every request, and refuse early if the queue is full."""

    def refuse_early() -> None:
        find_model().find_deadline()
        if request.endpoint in _GUARDED_ENDPOINTS:
            find_model().check_room()

    app.before_request(refuse_early)


def find_model() -> ModelQueue:
    """Return this application's model."""
    return current_app.extensions["kyara_model"]
