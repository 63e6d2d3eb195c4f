"""What operators taught: characters, their reference crops, and the features of these for each backbone.

Modules: `store` (the one class that others use), `place` (an SQLite file, the default, or a
PostgreSQL database that several servers share), `tables` (the shape of both).
"""

from kyara.recognition.enrolment_store.store import Changes, TaughtCharacter, TaughtStore

__all__ = ["Changes", "TaughtCharacter", "TaughtStore"]
