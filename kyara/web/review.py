"""What the review pages share: the service, the names, and the features of crops."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from apiflask import APIFlask
from flask import current_app, has_request_context
from flask_babel import get_locale
from flask_babel import gettext as _

from kyara.dataset.names import count_faces, read_new_characters
from kyara.dataset.review.reports import Report, ReportStore
from kyara.dataset.review.reports.placement import read_pixels
from kyara.dataset.review.service import ReviewService
from kyara.dataset.review.vote import is_vote_on, take_votes
from kyara.errors import BundleError, KyaraError
from kyara.recognition.characters import NOT_A_FACE, NOT_LISTED
from kyara.recognition.classifier import Classifier
from kyara.recognition.name_search import KnownNames
from kyara.vision.languages import LANGUAGES
from kyara.web.serving.model_queue import find_model

KEPT_FEATURES = 5_000
"""Crops whose features are kept in memory: 2 kB each."""

_log = logging.getLogger(__name__)


class FeatureCache:
    """Features of reported crops, so that a page of the queue runs the network once."""

    def __init__(self, store: ReportStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._turn = threading.Lock()

    def extract(self, classifier: Classifier, report: Report) -> np.ndarray:
        """Return `float32 (features,)` of a report's crop.

        Raises:
            KyaraError: its picture is gone or damaged.
        """
        key = (classifier.backbone.fingerprint, report.pixels_sha256 or report.id)
        with self._turn:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return known
        features: np.ndarray = classifier.backbone.extract([read_pixels(self._store, report)])[0]
        with self._turn:
            self._kept[key] = features
            while len(self._kept) > KEPT_FEATURES:
                self._kept.popitem(last=False)
        return features


def set_up_review(app: APIFlask) -> None:
    """Add the review service to an application; its dataset is brought into step with the journals."""
    store: ReportStore = app.extensions["kyara_reports"]
    dataset = Path(app.config["DATASET_FOLDER"])
    app.extensions["kyara_review"] = ReviewService(store, dataset, find_names)
    app.extensions["kyara_report_features"] = FeatureCache(store)


def find_review() -> ReviewService:
    """Return this application's review service."""
    return current_app.extensions["kyara_review"]


def find_classifier() -> Classifier | None:
    """Return a view of the model that serves at this moment, None while none does."""
    try:
        return find_model().classifier.frozen()
    except BundleError:
        return None


def find_names() -> KnownNames:
    """Return whom a report may be accepted as, the model's characters and the dataset's.

    Their names are in the reader's language.
    """
    classifier = find_classifier()
    dataset = Path(current_app.config["DATASET_FOLDER"])
    characters = [*(classifier.characters if classifier else ()), *read_new_characters(dataset)]
    if not has_request_context():
        return KnownNames.of(characters, count_faces(dataset))
    special = {NOT_A_FACE: _("Not a face"), NOT_LISTED: _("Someone who is not in the list")}
    codes = {language.locale: code for code, language in LANGUAGES.items()}
    return KnownNames.of(characters, count_faces(dataset), codes[str(get_locale())], special)


def vote_is_on() -> bool:
    """Tell whether the vote decides."""
    return is_vote_on(find_review().reports.store, bool(current_app.config["REPORT_VOTE"]))


def let_visitors_vote(report: Report) -> None:
    """Take the vote on the picture of a report that was just sent; a trouble is logged, not told."""
    if report.count < 1 or report.pixels_sha256 is None or not vote_is_on():
        return
    classifier = find_classifier()
    if classifier is None:
        return
    try:
        take_votes(find_review().reports, classifier, [report.pixels_sha256])
    except KyaraError as error:
        _log.warning("The vote on report %s was not taken: %s", report.id, error)
