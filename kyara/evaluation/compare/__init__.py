"""Two bundles side by side on the same held-out drawings.

- measuring.py: both are asked, through `Classifier`, the same path that serves → one JSON document
- page.py: the document → one self-contained HTML page
"""

from kyara.evaluation.compare.measuring import compare_bundles
from kyara.evaluation.compare.page import write_comparison

__all__ = ["compare_bundles", "write_comparison"]
