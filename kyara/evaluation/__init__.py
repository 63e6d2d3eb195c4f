"""Measure a bundle on a dataset, through `Classifier`: the same path that serves.

- protocols.py: which faces are asked, which are taught first, who is a stranger
- asking.py: faces → features → what the model says of them
- measuring.py, strangers.py, boxes.py: what it says → the numbers of metrics.json
- running.py: a protocol from start to end; tagging.py: the same for a model of several labels
- report.py: all of it → one self-contained HTML page, with plots.py, mistakes.py, matrix.py, pictures.py
"""

from __future__ import annotations

from kyara.evaluation.asking import Progress, extract_faces
from kyara.evaluation.protocols import Options
from kyara.evaluation.running import Evaluation, evaluate_bundle

__all__ = ["Evaluation", "Options", "Progress", "evaluate_bundle", "extract_faces"]
