"""Which bundle serves, and how it came to: promotion and rollback.

The history is a list of steps, the newest last; a step without `action` is a promotion. A rollback takes
back the newest promotion that has not been. Modules: `history` (what a step is), `in_file` and
`in_database` (where steps are kept: `model/registry.json`, or the database that several servers share),
`published` (where bundles are), `models` (promote, roll back, load), `places` (which of these the
settings mean).

The functions here are for one folder and the environment, as the command line has them.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from kyara.recognition.bundle import Bundle
from kyara.registry.history import Registry
from kyara.registry.in_file import REGISTRY_FILE
from kyara.registry.models import Models, load_named_bundle
from kyara.registry.places import open_models, read_places
from kyara.storage.paths import MODEL_FOLDER, find_owned

TAUGHT_FILE = "taught.db"
TAUGHT_VARIABLE = "KYARA_TAUGHT_DATABASE"
DATABASE_VARIABLE = "KYARA_DATABASE_URL"
__all__ = [
    "DATABASE_VARIABLE",
    "MODEL_FOLDER",
    "REGISTRY_FILE",
    "TAUGHT_FILE",
    "TAUGHT_VARIABLE",
    "Models",
    "Registry",
    "find_serving",
    "find_taught",
    "load_named_bundle",
    "open_models",
    "promote_bundle",
    "read_registry",
    "roll_back",
]


def read_registry(folder: Path = MODEL_FOLDER) -> Registry:
    """Read which bundle serves, and the history; see `Models.read`."""
    with closing(open_models(folder)) as models:
        return models.read()


def find_serving(folder: Path = MODEL_FOLDER) -> Path:
    """Return the folder of the bundle that serves; see `Models.find_serving`."""
    with closing(open_models(folder)) as models:
        return models.find_serving()


def find_taught(
    folder: Path = MODEL_FOLDER, *, place: str | None = None, database_url: str | None = None
) -> Path | str:
    """Return where taught characters are kept, a file or the URL of a database; it need not exist.

    Args:
        folder: the model folder; a file in it is the default, but never one inside the package.
        place: a file or a URL; None is that of `KYARA_TAUGHT_DATABASE`, empty is none.
        database_url: for everything, where `place` says nothing; None is that of `KYARA_DATABASE_URL`.
    """
    if place is None:
        place = str(read_places()["TAUGHT_DATABASE"])
    if database_url is None:
        database_url = str(read_places()["DATABASE_URL"])
    chosen = place or database_url
    return chosen if "://" in chosen else Path(chosen or find_owned(folder) / TAUGHT_FILE)


def promote_bundle(name: str, folder: Path = MODEL_FOLDER) -> Bundle:
    """Make a bundle the one that serves; see `Models.promote`."""
    with closing(open_models(folder)) as models:
        return models.promote(name)


def roll_back(folder: Path = MODEL_FOLDER) -> Bundle:
    """Make the bundle serve that served before the last promotion; see `Models.roll_back`."""
    with closing(open_models(folder)) as models:
        return models.roll_back()
