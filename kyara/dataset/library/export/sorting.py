"""A folder for each character: pictures linked, copied or moved there, and a journal that takes it back.

Nothing is written over. A line of the journal is on disk before the act that it tells, so a run that is
killed can be taken back, too, or run again: what is done already is not done twice.
"""

from __future__ import annotations

import itertools
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pathvalidate import sanitize_filename

from kyara.dataset.library.export.choosing import name_face, name_work
from kyara.dataset.library.export.journal import Act, SortJournal, is_left_over, read_moves
from kyara.dataset.library.export.sidecars import SidecarFinder
from kyara.dataset.library.reading import LibraryFace, LibraryPicture
from kyara.recognition.bundle import hash_file
from kyara.storage.atomic import explain_os_error, move_file, open_replacement

How = Literal["link", "copy", "move"]
MAX_NAME_BYTES = 200
"""Of a folder's or a file's name in UTF-8; file systems take 255, and a number has to fit."""


@dataclass(frozen=True)
class Placing:
    """A picture, and where it goes.

    Attributes:
        source: of the picture.
        target: a name that is free, or has the same picture already.
        is_there: whether it has.
        is_begun: whether it is there, and the old file still is, too: a run was killed while it moved.
        sidecars: of a picture that is moved: files beside it that move with it.
    """

    source: Path
    target: Path
    is_there: bool
    is_begun: bool = False
    sidecars: tuple[Placing, ...] = ()


def leave_out_links(
    pictures: Iterable[LibraryPicture], out: Path, how: How
) -> tuple[list[LibraryPicture], list[Path]]:
    """Return the pictures that can be sorted, and the links that cannot be moved.

    Links in the folder of an earlier sorting, which may have been scanned since, are in neither.

    Args:
        pictures: what is to be sorted.
        out: parent of the characters' folders, absolute.
        how: a link can be linked or copied, not moved.
    """
    kept: list[LibraryPicture] = []
    links: list[Path] = []
    for picture in pictures:
        if not picture.path.is_symlink() or (how != "move" and not picture.path.is_relative_to(out)):
            kept.append(picture)
        elif not picture.path.is_relative_to(out):
            links.append(picture.path)
    return kept, links


def plan_sorting(
    pictures: Sequence[LibraryPicture],
    out: Path,
    how: How,
    language: str,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Placing]:
    """Say where each picture goes; nothing is written.

    Args:
        pictures: whose faces all have names.
        out: parent of the characters' folders.
        how: a picture goes to all its characters by link or copy, to the surest by move.
        language: of the folders' names.
        progress: is told of each picture.
    """
    folders = name_folders(pictures, language)
    places = _Places(how, read_moves(out) if how == "move" else {})
    for picture in pictures:
        faces = sorted(picture.faces, key=lambda face: -face.confidence)
        labels = dict.fromkeys(face.label or "" for face in faces)
        for label in itertools.islice(labels, 1 if how == "move" else None):
            yield places.find(picture, out / folders[label])
        progress(1)


def name_folders(pictures: Iterable[LibraryPicture], language: str) -> dict[str, str]:
    """Return label → name of the character's folder: `Hatsune Miku (Vocaloid)`.

    No two are the same where case makes no difference; all can be had on Windows, too.
    """
    examples = {face.label: face for picture in pictures for face in picture.faces if face.label}
    wanted = {label: _name_folder(face, language) for label, face in sorted(examples.items())}
    count: dict[str, int] = {}
    for name in wanted.values():
        count[fold_name(name)] = count.get(fold_name(name), 0) + 1
    return {
        label: name if count[fold_name(name)] == 1 else make_name_safe(f"{name} [{label}]")
        for label, name in wanted.items()
    }


def make_name_safe(name: str) -> str:
    """Return a name for a file or a folder on Windows, macOS and Linux, shortened before its ending."""
    name = unicodedata.normalize("NFC", os.fsencode(name).decode(errors="replace"))
    if len(name.encode()) > MAX_NAME_BYTES:
        ending = os.path.splitext(name)[1]
        if len(ending.encode()) > MAX_NAME_BYTES // 2:
            ending = ""
        kept = name.removesuffix(ending).encode()[: MAX_NAME_BYTES - len(ending.encode())]
        name = kept.decode(errors="ignore").rstrip() + ending
    safe = sanitize_filename(name, replacement_text="_", platform="universal")
    return safe if safe.strip(".") else "_"  # "..", say, is the folder above


def fold_name(name: str) -> str:
    """Return a name as file systems compare it where case makes no difference."""
    return unicodedata.normalize("NFC", name).casefold()


def carry_out(
    placings: Iterable[Placing],
    how: How,
    journal: SortJournal,
    progress: Callable[[int], object] = lambda _: None,
) -> None:
    """Link, copy or move pictures, with their sidecars, each after its line in the journal.

    Raises:
        KyaraError: a picture cannot be placed; those before it are, and the journal takes them back.
    """
    for placing in placings:
        if not placing.is_there:
            # first: a run that is killed finds the sidecars of a picture that has not moved yet
            for sidecar in placing.sidecars:
                _act(sidecar, "sidecar", journal)
            _act(placing, how, journal)
        progress(1)


def _act(placing: Placing, kind: How | Literal["sidecar"], journal: SortJournal) -> None:
    try:
        _write_and_act(placing, kind, journal)
    except OSError as error:
        kept = f"What was done so far is in {journal.path}, which --undo takes back."
        raise explain_os_error(error, str(placing.target), kept) from error


def _write_and_act(placing: Placing, kind: How | Literal["sidecar"], journal: SortJournal) -> None:
    source, target = placing.source, placing.target
    journal.make_folder(target.parent)
    digest = None if kind == "link" else hash_file(source)
    journal.write(Act(kind, source, target, digest))
    if kind == "link":
        target.symlink_to(source)
    elif placing.is_begun:
        if is_left_over(source, target, digest):
            source.unlink()
    elif kind in ("move", "sidecar"):
        move_file(source, target)
    else:
        with source.open("rb") as picture, open_replacement(target, new=True) as copy:
            shutil.copyfileobj(picture, copy)
        shutil.copystat(source, target)


def _name_folder(face: LibraryFace, language: str) -> str:
    name, work = name_face(face, language), name_work(face, language)
    return make_name_safe(f"{name} ({work})" if work else name)


def _list_taken(folder: Path) -> set[str]:
    return {fold_name(name) for name in os.listdir(folder)} if folder.is_dir() else set()


class _Places:
    """Where pictures can go: the names that are free, or have the same picture already."""

    def __init__(self, how: How, begun: Mapping[tuple[Path, Path], str | None]) -> None:
        """Begin with what earlier runs have begun: source and target of a move → SHA-256."""
        self._how: How = how
        self._begun = begun
        self._taken: dict[Path, set[str]] = {}
        self._sidecars = SidecarFinder()

    def find(self, picture: LibraryPicture, folder: Path) -> Placing:
        """Return the first place that does; its names are taken from then on."""
        if folder not in self._taken:
            self._taken[folder] = _list_taken(folder)
        safe = Path(make_name_safe(picture.path.name))
        for number in itertools.count(1):
            name = safe.name if number == 1 else f"{safe.stem} ({number}){safe.suffix}"
            target = folder / name
            if placing := self._find_free(picture.path, target):
                self._taken[folder] |= {
                    fold_name(one.target.name) for one in (placing, *placing.sidecars)
                }
                return placing
            if _has_picture(target, picture, self._how):
                return Placing(picture.path, target, True)
        raise AssertionError("numbers do not end")

    def _find_free(self, source: Path, target: Path) -> Placing | None:
        """Return how a picture and its sidecars move; None where one of the names is taken."""
        picture = self._check(source, target)
        beside = self._sidecars.find(source, target) if picture and self._how == "move" else {}
        sidecars = tuple(one for pair in beside.items() if (one := self._check(*pair)))
        return replace(picture, sidecars=sidecars) if picture and len(sidecars) == len(beside) else None

    def _check(self, source: Path, target: Path) -> Placing | None:
        if fold_name(target.name) not in self._taken[target.parent]:
            return Placing(source, target, False)
        sha256 = self._begun.get((source, target))
        if sha256 and is_left_over(source, target, sha256):
            return Placing(source, target, False, is_begun=True)
        return None


def _has_picture(target: Path, picture: LibraryPicture, how: How) -> bool:
    """Tell whether a target is what an earlier run has made of this very picture."""
    if target.is_symlink():
        return how == "link" and os.path.realpath(target) == os.path.realpath(picture.path)
    if not target.is_file():
        return False
    if target.samefile(picture.path):  # it was moved there before, and scanned again since
        return True
    return (
        how == "copy"
        and target.stat().st_size == picture.path.stat().st_size
        and hash_file(target) == hash_file(picture.path)
    )
