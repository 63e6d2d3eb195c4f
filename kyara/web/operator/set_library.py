"""The library of pictures that the site is set to, for the operators' pages about it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import Engine

from kyara.dataset.library.opening import open_library
from kyara.errors import NotFoundError

DECODING = threading.BoundedSemaphore(2)
"""A picture of a library may have 64 Mpx; more of them at a time could fill the memory."""


@contextmanager
def open_set_library() -> Iterator[Engine]:
    """Open the library that the site is set to.

    Raises:
        NotFoundError: none is set, or there is none.
    """
    place = current_app.config["LIBRARY"]
    if not place:
        raise NotFoundError(
            _(
                "No library of pictures is set: `kyara scan FOLDER` makes one, `kyara groups make` "
                "groups its unknown faces, and KYARA_LIBRARY names it to the site."
            )
        )
    with open_library(place) as engine:
        yield engine
