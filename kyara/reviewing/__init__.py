"""Reviewing reports: an operator decides, and the dataset folder follows.

`ReviewDesk` is the one class that others use. The rooms around it: `names` (which label a text means),
`opinion` (what the features say of a label), `vote` (three visitors who agree), `queue` (what a reviewer
sees), `exporting`. The rows of reviews are kept by `kyara.reports.steps`.
"""

from kyara.reviewing.desk import Action, ReviewDesk
from kyara.reviewing.names import KnownNames

__all__ = ["Action", "KnownNames", "ReviewDesk"]
