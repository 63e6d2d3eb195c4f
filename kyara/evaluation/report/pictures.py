"""Pictures of the report: small copies, inlined, and which drawing stands for a character."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from kyara.dataset.manifest import Face, Manifest


class Portraits:
    """Finds a drawing of a character in a dataset."""

    def __init__(self, manifest: Manifest, queries: Collection[Path]) -> None:
        """Take a dataset and the pictures that were asked: others are preferred to them."""
        self._by_name = {manifest.locate(face).as_posix(): face.path for face in manifest.faces}
        self._best: dict[str, Face] = {}
        queries = set(queries)

        def rank(face: Face) -> tuple[bool, bool, bool]:
            return face.path in queries, face.role != "reference", face.split != "train"

        for face in manifest.faces:
            best = self._best.setdefault(face.label, face)
            self._best[face.label] = min(best, face, key=rank)

    def of_reference(self, name: str) -> Path | None:
        """Return the picture that a reference was made from, where it is in the dataset."""
        return self._by_name.get(name)

    def of_character(self, label: str) -> Path | None:
        """Return the drawing that shows a character best: its reference, else one to train on."""
        face = self._best.get(label)
        return face.path if face else None
