"""Sidecars: files beside a picture that tell of it alone, and their names beside a moved picture."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kyara.vision.picture_files import is_picture_name


def list_names_beside(picture: Path) -> tuple[Path, ...]:
    """Return where the sidecars of a picture lie: `a.jpg.xmp`, `a.jpg.txt` and, last, `a.txt`."""
    return (
        picture.with_name(f"{picture.name}.xmp"),
        picture.with_name(f"{picture.name}.txt"),
        picture.with_suffix(".txt"),
    )


class SidecarFinder:
    """Finds sidecars, as long as no pictures are moved: each folder is read once, if at all."""

    def __init__(self) -> None:
        self._stems: dict[Path, Counter[str]] = {}

    def find(self, source: Path, target: Path) -> dict[Path, Path]:
        """Return the sidecars of a picture, and their names beside another; links are none.

        `a.txt` is left out where `a.jpg` and `a.png` lie beside each other: it may tell of either.

        Args:
            source: the picture that they lie beside.
            target: where it is to be.

        Raises:
            OSError: the folder cannot be read.
        """
        names = zip(list_names_beside(source), list_names_beside(target), strict=True)
        found = {own: other for own, other in names if own.is_file() and not own.is_symlink()}
        by_stem = source.with_suffix(".txt")
        if by_stem in found and self._count(source) > 1:
            del found[by_stem]
        return found

    def _count(self, picture: Path) -> int:
        """Return how many pictures there are of a picture's stem."""
        folder = picture.parent
        if folder not in self._stems:
            names = (path.name for path in folder.iterdir())
            self._stems[folder] = Counter(Path(name).stem for name in names if is_picture_name(name))
        return self._stems[folder][picture.stem]
