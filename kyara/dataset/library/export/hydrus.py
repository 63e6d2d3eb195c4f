"""Sidecars that the hydrus network imports: `picture.jpg.txt`, a tag in each line.

Source: hydrus, "sidecars", https://hydrusnetwork.github.io/hydrus/advanced_sidecars.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kyara.dataset.library.export.choosing import list_names
from kyara.dataset.library.export.target import Target
from kyara.dataset.library.export.writing import NewFile
from kyara.dataset.library.reading import LibraryPicture


def make_hydrus(pictures: Sequence[LibraryPicture], target: Target) -> Iterator[NewFile]:
    """Give a sidecar for each picture."""
    for picture in pictures:
        text = "".join(f"{tag}\n" for tag in list_tags(picture, target.language))
        yield NewFile(target.place_beside(picture, f"{picture.path.name}.txt"), text.encode())


def list_tags(picture: LibraryPicture, language: str) -> list[str]:
    """Return `character:` and `series:` tags, in lower case as hydrus keeps them, each once."""
    names = list_names(picture, language)
    characters = [f"character:{name.lower()}" for name, _ in names]
    return list(dict.fromkeys([*characters, *(f"series:{work.lower()}" for _, work in names if work)]))
