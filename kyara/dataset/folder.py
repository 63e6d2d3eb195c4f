"""The dataset that grows: who may change its folder, and the index that always equals it.

    inbox/            faces that nobody has labelled yet, and manifest.jsonl: where each came from
    faces/<label>/    labelled faces; a label with a work (`arknights/absin`) is a nested folder
    faces/index.csv   `path,label,split,group`, as `manifest` reads it; derived from the folder
    faces/splits.csv  `group,split`: which split a group has for ever, whatever is undone meanwhile

Everything that adds, moves or removes a face does so inside `change_dataset`. The site uses this module,
too: it knows nothing of learning.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kyara.dataset.index import INDEX_FILE, format_rows, read_rows
from kyara.storage.atomic import explain_os_error, hold_lock, replace_file
from kyara.storage.rereading import read_once
from kyara.vision.picture_files import SUFFIXES

FACES_FOLDER = "faces"
INBOX_FOLDER = "inbox"
MANIFEST_FILE = "manifest.jsonl"
SPLITS_FILE = "splits.csv"
LOCK_FILE = ".lock"
VERSIONS_FOLDER = "versions"
HELD_OUT_SHARE = 0.1
"""Share of each character's groups held out for `test`, and again for `val`."""
_COLUMNS = ("path", "label", "split", "group")
_written: dict[Path, tuple[bytes, tuple[IndexedFace, ...]]] = {}
"""The indexes that this process wrote last: as long as the file's bytes are these, so are the rows."""


@dataclass(frozen=True)
class IndexedFace:
    """One row of the index.

    Attributes:
        path: below `faces/`, with slashes.
        label: of the character.
        split: `train`, `val` or `test`.
        group: its source; no group is divided between splits.
        more: further columns that the index had.
    """

    path: str
    label: str
    split: str
    group: str
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Change:
    """A change of the dataset that is under way.

    Attributes:
        groups: file name → group, for faces that the inbox's manifest does not tell of.
        splits: group → split, for groups that are not to be dealt.
        index: the rows of the index; complete once the change has ended.
    """

    groups: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    index: tuple[IndexedFace, ...] = ()


@contextmanager
def change_dataset(dataset: Path) -> Iterator[Change]:
    """Hold the dataset folder, made if need be, alone, and make its index equal the folder at the end.

    Raises:
        StorageFullError: no room for the index; it stays as it was, and the next change makes it.
        KyaraError: the folder cannot be written.
    """
    change = Change()
    with ExitStack() as held:
        try:
            (dataset / FACES_FOLDER).mkdir(parents=True, exist_ok=True)
            held.enter_context(hold_lock(dataset / LOCK_FILE))
        except OSError as error:
            raise explain_os_error(error, str(dataset), "Nothing was changed.") from error
        try:
            yield change
        finally:
            change.index = _refresh(dataset, change)


def refresh_index(dataset: Path) -> tuple[IndexedFace, ...]:
    """Make `faces/index.csv` equal the folder, and return its rows.

    Raises:
        KyaraError: as `change_dataset`.
    """
    with change_dataset(dataset) as change:
        pass
    return change.index


def read_index(dataset: Path) -> tuple[IndexedFace, ...]:
    """Return the rows of `faces/index.csv` as they are; none where there is no index.

    Raises:
        BadInputError: it cannot be read.
    """
    return _read_index(dataset / FACES_FOLDER / INDEX_FILE)


def list_faces_below(faces: Path) -> list[str]:
    """Return the pictures below a folder: paths with slashes, sorted; hidden files are left out."""
    found = []
    root = os.fspath(faces)
    for folder, _, names in os.walk(root):
        below = folder[len(root) + 1 :].replace(os.sep, "/")
        for name in names:
            if os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith("."):
                found.append(f"{below}/{name}" if below else name)
    return sorted(found)


def remove_empty_folders(dataset: Path, folder: Path) -> None:
    """Remove a character's folder, and that of the work above it, where they have no faces any more."""
    faces = dataset / FACES_FOLDER
    while folder != faces and folder.is_relative_to(faces):
        with suppress(OSError):  # it is not empty
            folder.rmdir()
        folder = folder.parent


def read_inbox(dataset: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return what the inbox's manifest says: file → its entry.

    A line that cannot be read (a collector was killed while it wrote) is passed over.
    """
    try:
        return _read_manifest(dataset / INBOX_FOLDER / MANIFEST_FILE)
    except OSError:
        return {}


@read_once
def _read_manifest(path: Path) -> Mapping[str, Mapping[str, Any]]:
    entries: dict[str, Mapping[str, Any]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            entries[str(entry["file"])] = entry
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return entries


def find_group(entry: Mapping[str, Any], file: str) -> str:
    """Return the group of a face: its source by content, else by name, else the face alone."""
    sha256 = entry.get("source_sha256")
    return str(sha256)[:16] if sha256 else str(entry.get("source") or Path(file).stem)


def _refresh(dataset: Path, change: Change) -> tuple[IndexedFace, ...]:
    faces = dataset / FACES_FOLDER
    try:
        known = {row.path: row for row in _read_index(faces / INDEX_FILE)}
        splits = _read_splits(faces / SPLITS_FILE)
        splits |= {row.group: row.split for row in known.values()}
        rows = tuple(_make_rows(dataset, known, splits, change))
        _write_if_new(faces / SPLITS_FILE, format_rows(("group", "split"), sorted(splits.items())))
        data = _write_if_new(faces / INDEX_FILE, _format_index(rows))
    except OSError as error:
        kept = "The faces are safe; the index is made at the next change."
        raise explain_os_error(error, str(faces / INDEX_FILE), kept) from error
    _written[faces / INDEX_FILE] = (data, rows)
    return rows


def _make_rows(
    dataset: Path,
    known: Mapping[str, IndexedFace],
    splits: dict[str, str],
    change: Change,
) -> list[IndexedFace]:
    """Return a row for every file; `splits` takes in what is dealt to new groups."""
    groups = change.groups
    paths = list_faces_below(dataset / FACES_FOLDER)
    new = [path for path in paths if path not in known]
    sources = read_inbox(dataset) if any(Path(path).name not in groups for path in new) else {}
    rows = [known[path] for path in paths if path in known]
    of_label: dict[str, set[str]] = {}
    for row in rows:
        of_label.setdefault(row.label, set()).add(row.group)
    for path in new:
        name = path.rpartition("/")[2]
        label = path.rpartition("/")[0]
        if not label:
            continue  # a picture that lies in no character's folder
        group = groups.get(name) or find_group(sources.get(name, {}), name)
        mine = of_label.setdefault(label, set())
        mine.add(group)
        if group not in splits:
            dealt = _deal([splits.get(other, "") for other in mine])
            splits[group] = change.splits.get(group, dealt)
        split = splits[group]
        rows.append(IndexedFace(path, label, split, group))
    return sorted(rows, key=lambda row: row.path)


def _deal(splits: list[str]) -> str:
    """Choose the split of a character's newest group.

    Args:
        splits: of all its groups; that of the new one is empty. A character whose groups are few keeps
            them in `train`.
    """
    wanted = int(len(splits) * HELD_OUT_SHARE + 0.5)
    return next((name for name in ("test", "val") if splits.count(name) < wanted), "train")


def _read_index(path: Path) -> tuple[IndexedFace, ...]:
    data = _read_bytes(path)
    known = _written.get(path)
    if known and known[0] == data:
        return known[1]
    return tuple(
        IndexedFace(
            row["path"],
            row.get("label", ""),
            row["split"],
            row.get("group") or row["path"],
            {name: value for name, value in row.items() if name not in _COLUMNS},
        )
        for _, row in read_rows(path, data)
        if row.get("path") and row.get("split")
    )


def _read_splits(path: Path) -> dict[str, str]:
    rows = read_rows(path, _read_bytes(path))
    return {row["group"]: row["split"] for _, row in rows if row.get("group") and row.get("split")}


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _format_index(rows: Sequence[IndexedFace]) -> str:
    more = list(dict.fromkeys(name for row in rows for name in row.more))
    return format_rows(
        (*_COLUMNS, *more),
        [
            (row.path, row.label, row.split, row.group, *(row.more.get(name, "") for name in more))
            for row in rows
        ],
    )


def _write_if_new(path: Path, text: str) -> bytes:
    data = text.encode()
    if _read_bytes(path) != data or not path.exists():
        replace_file(path, data)
    return data
