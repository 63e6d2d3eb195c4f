"""Boxed pictures → what training views are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kyara.dataset.boxed import BoxedPicture
from kyara.errors import BadInputError
from kyara.training.recipes.detector.scenes import Scene, make_scene
from kyara.training.recipes.detector.views import Sources


def gather_sources(
    pictures: Sequence[BoxedPicture], progress: Callable[[int], object] = lambda count: None
) -> Sources:
    """Read the pictures of the splits `train` and `unlabelled` into memory.

    Raises:
        BadInputError: there is no picture with a face, or none without one.
    """
    scenes: dict[str, list[Scene]] = {
        kind: [] for kind in ("pictures", "portraits", "negatives", "unlabelled")
    }
    for picture in pictures:
        if picture.split == "unlabelled":
            kind = "unlabelled"
        elif picture.split == "train":
            kind = "negatives" if not picture.faces else "portraits" if picture.portrait else "pictures"
        else:
            continue
        scenes[kind].append(make_scene(picture.read(), picture.faces))
        progress(1)
    if not scenes["negatives"] or not scenes["pictures"]:
        raise BadInputError("A detector needs pictures with boxed faces, and some without any face.")
    shares = Sources.shares if scenes["portraits"] else (0.75, 0.0, 0.0, 0.25)
    return Sources(shares=shares, **scenes)
