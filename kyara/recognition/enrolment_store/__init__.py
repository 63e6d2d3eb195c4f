"""What operators taught: characters, their reference crops, and the features of these for each backbone.

Modules: `store` (the one class that others use), `backend` (an SQLite file, the default, or a
PostgreSQL database that several servers share), `packs` (what packs brought), `tables` (the shape of
both).
"""

from kyara.recognition.enrolment_store.packs import InstalledPack
from kyara.recognition.enrolment_store.store import PACKED, Changes, TaughtCharacter, TaughtStore

__all__ = ["PACKED", "Changes", "InstalledPack", "TaughtCharacter", "TaughtStore"]
