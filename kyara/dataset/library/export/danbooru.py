"""Tag files as sets for training have them: `picture.txt`, tags in Danbooru's form with commas between.

Source: Danbooru, "help:tags", https://danbooru.donmai.us/wiki_pages/help:tags
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kyara.dataset.library.export.choosing import list_names
from kyara.dataset.library.export.target import Target, check_stems
from kyara.dataset.library.export.writing import NewFile
from kyara.dataset.library.reading import LibraryPicture


def make_danbooru(pictures: Sequence[LibraryPicture], target: Target) -> Iterator[NewFile]:
    """Give a tag file for each picture.

    Raises:
        BadInputError: two pictures would have the same.
    """
    check_stems(pictures)
    for picture in pictures:
        names = list_names(picture, target.language)
        tags = dict.fromkeys(make_tag(name, work) for name, work in names)
        yield NewFile(
            target.place_beside(picture, f"{picture.path.stem}.txt"), (", ".join(tags) + "\n").encode()
        )


def make_tag(name: str, work: str) -> str:
    """Make a tag: Hatsune Miku, Vocaloid → hatsune_miku_(vocaloid)."""
    return _join(f"{name} ({work})" if work else name)


def _join(text: str) -> str:
    """Write a text in lower case, with an underscore for spaces and commas."""
    return re.sub(r"[\s,_]+", "_", text.lower()).strip("_")
