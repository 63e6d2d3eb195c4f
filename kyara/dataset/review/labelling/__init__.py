"""Collected faces: their labels, the dataset folder that equals them, and what the model suggests.

`LabelJournal` is the review journal of one dataset folder; nothing else changes a label that a person
gave.
"""

from kyara.dataset.review.labelling.journal import LabelJournal
from kyara.dataset.review.labelling.opening import JOURNAL_FILE
from kyara.dataset.review.labelling.rules import make_label, name_face, name_file
from kyara.dataset.review.labelling.states import FaceState, LabelRecovery
from kyara.recognition.characters import NOT_A_FACE

__all__ = [
    "JOURNAL_FILE",
    "NOT_A_FACE",
    "FaceState",
    "LabelJournal",
    "LabelRecovery",
    "make_label",
    "name_face",
    "name_file",
]
