"""Who is known at this moment, by work, for the pages that tell it."""

from __future__ import annotations

from flask import current_app

from kyara.errors import BundleError
from kyara.recognition.catalogue import Catalogue
from kyara.web.serving.model_queue import find_model


def find_catalogue() -> Catalogue:
    """Return who is known; made once, and again after somebody was taught or forgotten.

    Raises:
        BundleError: no model serves.
    """
    characters = find_model().classifier.characters
    kept: tuple[object, Catalogue] | None = current_app.extensions.get("kyara_catalogue")
    if kept is None or kept[0] is not characters:
        kept = current_app.extensions["kyara_catalogue"] = (characters, Catalogue.of(characters))
    return kept[1]


def count_known() -> tuple[int, int]:
    """Return how many characters are known and of how many works; nobody while no model serves."""
    try:
        catalogue = find_catalogue()
    except BundleError:
        return 0, 0
    return len(catalogue.characters), catalogue.count_works()
