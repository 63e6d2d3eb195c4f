"""Where exported files go, and what a picture is called in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kyara.dataset.library.reading import LibraryPicture
from kyara.dataset.library.sources import is_bucket, make_path
from kyara.errors import BadInputError
from kyara.storage.paths import show_path


@dataclass(frozen=True)
class Target:
    """What the options of an export say about its files.

    Attributes:
        root: folder of the pictures, absolute: names of pictures in files are relative to it.
        out: the file or folder that is asked for; None for the format's own place.
        language: of names and works.
    """

    root: Path
    out: Path | None = None
    language: str = "en"

    def place_beside(self, picture: LibraryPicture, name: str) -> Path:
        """Return where a file about one picture goes: beside it, or as deep below `out`."""
        folder = picture.path.parent if self.out is None else self.out / self.relate(picture).parent
        return folder / name

    def relate(self, picture: LibraryPicture) -> Path:
        """Return a picture's path below the root.

        Raises:
            BadInputError: it does not lie there.
        """
        if is_bucket(picture.path) and self.root == Path("/"):
            return Path("s3", *picture.path.parts[1:])
        if not picture.path.is_relative_to(self.root):
            raise BadInputError(
                f"{show_path(picture.path)} does not lie in {self.root}; give another --root."
            )
        return picture.path.relative_to(self.root)

    def need_out(self, what: str) -> Path:
        """Return the place that is asked for.

        Raises:
            BadInputError: none is; `what` says what it would be.
        """
        if self.out is None:
            raise BadInputError(f"Say with --out which {what} to write.")
        return self.out

    def name_picture(self, picture: LibraryPicture) -> str:
        """Return what a file calls a picture: its path below the root with `/`.

        Raises:
            BadInputError: it does not lie there, or its name is no text.
        """
        name = self.relate(picture).as_posix()
        if name != show_path(name):
            raise BadInputError(
                f"The name {show_path(name)} is not UTF-8, so no text can tell it; rename the picture, "
                "then `kyara scan` follows it."
            )
        return name


def find_root(pictures: Sequence[LibraryPicture]) -> Path:
    """Return the deepest folder that all pictures lie in; of no pictures `/`.

    Pictures in buckets and others have none; then it is `/`, below which a bucket is `s3/BUCKET`.
    """
    folders = [picture.path.parent for picture in pictures] or [Path("/")]
    if len({is_bucket(folder) for folder in folders}) > 1:
        return Path("/")
    return make_path(Path(os.path.commonpath(folders)))


def check_stems(pictures: Iterable[LibraryPicture]) -> None:
    """Refuse two pictures that differ only by their endings, where the format leaves endings out.

    Raises:
        BadInputError: there are two.
    """
    seen: dict[Path, Path] = {}
    for picture in pictures:
        stem = picture.path.with_suffix("")
        if stem in seen:
            raise BadInputError(
                f"{show_path(seen[stem])} and {show_path(picture.path)} would have one file in this "
                "format; rename one of them."
            )
        seen[stem] = picture.path
