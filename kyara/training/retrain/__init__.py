"""From a dataset that grew to a candidate beside the bundle that serves.

- versions.py: the dataset at one moment → an immutable manifest with the hash of every file
- continuing.py: the recipe `head`, going on from the serving bundle without forgetting anybody
- watching.py: a run's history → the job's status, for the page
- running.py: version, training, comparison, one after the other; goes on after a kill
"""

from kyara.training.retrain.running import RetrainOrder, make_order, run_order

__all__ = ["RetrainOrder", "make_order", "run_order"]
