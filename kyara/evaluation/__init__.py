"""Measure a bundle on a dataset, through `Classifier`: the same path that serves.

- protocols.py: which faces are asked, which are taught first, who is a stranger
- queries.py: faces → features → what the model says of them
- measuring.py, unknowns.py, boxes.py: what it says → the numbers of metrics.json
- running.py: a protocol from start to end; tagging.py: the same for a model of several labels
- report/: all of it → one self-contained HTML page; compare/: two bundles side by side
- metrics.py: the measures themselves
"""
