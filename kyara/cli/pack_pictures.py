"""Pictures of a pack's characters, a folder for each: which one is whose, and the faces in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from kyara.cli.options import show_bar
from kyara.cli.teach import choose_crop
from kyara.errors import BadInputError, KyaraError
from kyara.storage.paths import show_path
from kyara.vision.detectors.base import FaceDetector, open_detector
from kyara.vision.images import read_image
from kyara.vision.picture_files import list_pictures

if TYPE_CHECKING:
    from kyara.recognition.characters import Character
    from kyara.recognition.classifier import Classifier


@dataclass
class PackPictures:
    """The pictures of characters, whose faces are found one after the other.

    Attributes:
        pictures: label → pictures.
        classifier: whose network the crops are for.
        finder: finds the faces; None: each picture is a crop.
        step: called with 1 for each picture.
        unread: those that could not be read.
    """

    pictures: dict[str, list[Path]]
    classifier: Classifier
    finder: FaceDetector | None
    step: Callable[[int], object]
    unread: list[Path] = field(default_factory=list)

    def find_crops(self, label: str) -> Iterator[np.ndarray]:
        """Give a crop of each picture of a character; what cannot be read is told on stderr."""
        for path in self.pictures.get(label, ()):
            try:
                yield choose_crop(read_image(path), self.classifier, self.finder)[0]
            except KyaraError as error:
                self.unread.append(path)
                click.echo(f"kyara: {show_path(path)}: {error}", err=True)
            self.step(1)


@contextmanager
def open_pictures(
    folder: Path | None,
    members: Sequence[Character],
    classifier: Classifier,
    detector: str | None,
    *,
    whole: bool,
) -> Iterator[PackPictures]:
    """Give the pictures of a pack's characters; folders that are nobody's are told on stderr.

    Args:
        folder: has a folder for each character, called by its label or a name; None: no pictures.
        members: the characters.
        classifier: that serves.
        detector: name of what finds the faces; None: the default.
        whole: each picture is a crop.

    Raises:
        BadInputError: it is no folder, or nobody's pictures are in it.
    """
    if folder is None:
        yield PackPictures({}, classifier, None, lambda count: None)
        return
    pictures = _find_pictures(folder, members)
    with (
        nullcontext() if whole else open_detector(detector) as finder,
        show_bar(sum(map(len, pictures.values())), "Looking for faces") as bar,
    ):
        yield PackPictures(pictures, classifier, finder, bar.update)


def _find_pictures(folder: Path, members: Sequence[Character]) -> dict[str, list[Path]]:
    """Return label → pictures in the character's folder, and in those below it."""
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}.")
    owners = _find_owners(folder, members)
    found: dict[str, list[Path]] = {}
    strays: dict[Path, int] = {}
    for picture in list_pictures(folder):
        owner = next((owners[one] for one in picture.parents if one in owners), None)
        if owner is None:
            strays[picture.parent] = strays.get(picture.parent, 0) + 1
        else:
            found.setdefault(owner, []).append(picture)
    if not found:
        raise BadInputError(
            f"No folder in {show_path(folder)} has pictures of anybody in the pack: call each by a "
            f"label, such as {members[0].label}, or by a name."
        )
    for stray, count in sorted(strays.items()):
        click.echo(f"kyara: {show_path(stray)}: {count} picture(s) of nobody in the pack.", err=True)
    return found


def _find_owners(folder: Path, members: Sequence[Character]) -> dict[Path, str]:
    """Return folder → label of its character."""
    from kyara.recognition.pack_again import match_names

    below = {Path(parent, name) for parent, names, _ in os.walk(folder) for name in names}
    names = match_names(members, [path.name for path in below if path.parent == folder])
    owners = {folder / name: label for name, label in names.items()}
    return owners | {folder / one.label: one.label for one in members if folder / one.label in below}
