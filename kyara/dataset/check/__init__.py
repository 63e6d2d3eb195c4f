"""What is wrong with a dataset folder? From the folder to findings and a report.

- pictures.py: files → sizes, digests, perceptual hashes
- duplicates.py: hashes → near-duplicates, mirrored ones too
- suspects.py: features → pictures that look like another character than their label
- findings.py: all of it together
- report.py: findings → one self-contained HTML page
- splitting.py: near-duplicates → an index whose groups no split divides
"""

from __future__ import annotations

from kyara.dataset.check.findings import Inspection, Limits, inspect_dataset

__all__ = ["Inspection", "Limits", "inspect_dataset"]
