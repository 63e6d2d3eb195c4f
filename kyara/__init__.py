"""Kyara answers one question: who is this anime character?"""

import os

# NumPy's own threads spin on after each product and slow the network down, which needs the cores: with
# them an answer takes half as long again. This must be set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
