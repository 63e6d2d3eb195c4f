"""The review service: reports and collected faces of one site, behind one object."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from kyara.dataset.review.labelling import JOURNAL_FILE, LabelJournal
from kyara.dataset.review.reports.journal import ReportJournal
from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.steps import Step
from kyara.errors import KyaraError
from kyara.recognition.name_search import KnownNames

_log = logging.getLogger(__name__)


class ReviewService:
    """Both kinds of item; each is a `ReviewJournal`. Safe for many threads.

    Attributes:
        dataset: the dataset folder.
        reports: the journal of reports.
        preparing: the process that this one started to have the model look at the inbox.
    """

    def __init__(self, store: ReportStore, dataset: Path, find_names: Callable[[], KnownNames]) -> None:
        """Bring the dataset into step with both journals; what cannot be is logged, not raised.

        Args:
            store: of the reports.
            dataset: the dataset folder, which need not exist yet.
            find_names: tells whom a report may be accepted as, at the moment of asking.
        """
        self.dataset = dataset
        self.reports = ReportJournal(store, dataset, find_names)
        self.preparing: subprocess.Popen[bytes] | None = None
        self._faces: LabelJournal | None = None
        self._opening = threading.Lock()
        try:  # if it fails the site is still good for everything else
            self.reports.recover()
            if (dataset / JOURNAL_FILE).exists():
                self.open_faces()
        except KyaraError as error:
            _log.error("%s is not in step with what was decided: %s", dataset, error)

    def open_faces(self) -> LabelJournal:
        """Return the journal of collected faces; its first use makes it.

        Raises:
            KyaraError: folder or journal cannot be used.
        """
        with self._opening:
            if self._faces is None:
                self._faces = LabelJournal(self.dataset)
            return self._faces

    def list_steps(self, operator: str, *, most: int) -> list[tuple[Step, bool]]:
        """Return an operator's steps that can be undone, the newest first; True for those of reports."""
        found: list[tuple[Step, bool]] = []
        for of_reports in (True, False):
            try:  # trouble with one kind does not keep anybody from the other
                if of_reports or (self.dataset / JOURNAL_FILE).exists():
                    journal = self.reports if of_reports else self.open_faces()
                    steps = journal.list_steps(operator, most=most, standing=True)
                    found += [(step, of_reports) for step in steps]
            except KyaraError as error:
                _log.warning("Steps that %s could undo are not known: %s", operator, error)
        return sorted(found, key=lambda pair: pair[0].at, reverse=True)[:most]

    def close(self) -> None:
        """Close the journal of collected faces; the store of reports is its owner's."""
        with self._opening:
            if self._faces is not None:
                self._faces.close()
                self._faces = None
