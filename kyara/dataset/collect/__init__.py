"""Videos, animations and pictures → faces in the inbox of a dataset.

    settings.py   what is wanted of them
    finding.py    a frame → faces with margin, by a detector
    inbox.py      the inbox on disk: faces, manifest, how far each source is
    running.py    one source from where it was left to its end

A run may be killed at any moment; the same command goes on, and what it leaves in the end is, to the
byte, what an uninterrupted run leaves.
"""

from kyara.dataset.collect.inbox import Inbox
from kyara.dataset.collect.running import Collected, collect_source
from kyara.dataset.collect.settings import Settings
from kyara.vision.sources import list_sources

__all__ = ["Collected", "Inbox", "Settings", "collect_source", "list_sources"]
