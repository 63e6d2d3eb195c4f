"""Visitors' corrections: a crop and who it really shows, kept until an operator reviews it.

In come pixels and a label; out come a PNG file in the report folder and a row in the database. The
modules, from the outside in: `store` (the one class that others use), `recovery` (what a start
repairs), `rows` (what is done to the database), `tables` (its shape), `files` (PNG files that
survive power loss), `rules` (what a label, a note and a token may be).
"""

from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import Report
from kyara.dataset.review.tables import ReviewState
from kyara.recognition.characters import NOT_A_FACE, NOT_LISTED

__all__ = ["NOT_A_FACE", "NOT_LISTED", "Report", "ReportStore", "ReviewState"]
