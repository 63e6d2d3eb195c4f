"""Boxed pictures → what training views are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kyara.errors import BadInputError
from kyara.training.recipes.detector.data import BoxedPicture
from kyara.training.recipes.detector.scenes import Scene
from kyara.training.recipes.detector.views import Sources


def gather_sources(
    pictures: Sequence[BoxedPicture], progress: Callable[[int], object] = lambda count: None
) -> Sources:
    """Read the pictures of the split `train` into memory.

    Raises:
        BadInputError: there is no picture with a face, or none without one.
    """
    scenes: dict[str, list[Scene]] = {"pictures": [], "portraits": [], "negatives": []}
    for picture in pictures:
        if picture.split != "train":
            continue
        kind = "negatives" if not picture.faces else "portraits" if picture.portrait else "pictures"
        scenes[kind].append(picture.load())
        progress(1)
    if not scenes["negatives"] or not scenes["pictures"]:
        raise BadInputError("A detector needs pictures with boxed faces, and some without any face.")
    if not scenes["portraits"]:
        pictures_alone = (0.75, 0.0, 0.0, 0.25)
        return Sources(scenes["pictures"], (), scenes["negatives"], pictures_alone)
    return Sources(scenes["pictures"], scenes["portraits"], scenes["negatives"])
