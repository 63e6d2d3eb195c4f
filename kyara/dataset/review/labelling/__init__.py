"""Labels that people give: a journal of every decision, and the dataset folder that equals it.

`LabelJournal` writes a decision down first and moves the face's file then; what a crash cuts in two, the
next start finishes. Nothing else changes a label that a person gave.
"""

from kyara.dataset.review.labelling.journal import JOURNAL_FILE, LabelJournal, Recovery
from kyara.dataset.review.labelling.rules import (
    MAX_FACES,
    NOT_A_FACE,
    Action,
    FaceState,
    LabelConflictError,
    make_label,
    name_face,
    name_file,
)

__all__ = [
    "JOURNAL_FILE",
    "MAX_FACES",
    "NOT_A_FACE",
    "Action",
    "FaceState",
    "LabelConflictError",
    "LabelJournal",
    "Recovery",
    "make_label",
    "name_face",
    "name_file",
]
