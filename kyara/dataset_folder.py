"""The dataset that grows: who may change its folder, and the index that always equals it.

    inbox/            faces that nobody has labelled yet, and manifest.jsonl: where each came from
    faces/<label>/    labelled faces; a label with a work (`arknights/absin`) is a nested folder
    faces/index.csv   `path,label,split,group`, as `kyara.dataset` reads it; derived from the folder
    faces/splits.csv  `group,split`: which split a group has for ever, whatever is undone meanwhile

Everything that adds, moves or removes a face does so inside `change_dataset`. This room is the site's,
too: it knows nothing of learning.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kyara.durable import explain_os_error, hold_lock, replace_file
from kyara.errors import BadInputError
from kyara.images import SUFFIXES

FACES_FOLDER = "faces"
INBOX_FOLDER = "inbox"
MANIFEST_FILE = "manifest.jsonl"
INDEX_FILE = "index.csv"
SPLITS_FILE = "splits.csv"
LOCK_FILE = ".lock"
HELD_OUT_SHARE = 0.1
"""Of a character's groups, in `test` and in `val` each."""
_COLUMNS = ("path", "label", "split", "group")


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
        index: the rows of the index; complete once the change has ended.
    """

    groups: dict[str, str] = field(default_factory=dict)
    index: tuple[IndexedFace, ...] = ()


@contextmanager
def change_dataset(dataset: Path) -> Iterator[Change]:
    """Hold the dataset folder alone, and make its index equal the folder at the end.

    Not to be nested. The index is made, too, where the block ends with an error.

    Args:
        dataset: the dataset folder, made if need be.

    Raises:
        StorageFullError: no room for the index; it stays as it was, and the next change makes it.
        KyaraError: the folder cannot be written.
    """
    change = Change()
    try:
        (dataset / FACES_FOLDER).mkdir(parents=True, exist_ok=True)
        lock = hold_lock(dataset / LOCK_FILE)
        lock.__enter__()
    except OSError as error:
        raise explain_os_error(error, str(dataset), "Nothing was changed.") from error
    try:
        try:
            yield change
        finally:
            change.index = _refresh(dataset, change.groups)
    finally:
        lock.__exit__(None, None, None)


def refresh_index(dataset: Path) -> tuple[IndexedFace, ...]:
    """Make `faces/index.csv` equal the folder, and return its rows.

    Raises:
        KyaraError: as `change_dataset`.
    """
    with change_dataset(dataset) as change:
        pass
    return change.index


def list_faces_below(faces: Path) -> list[str]:
    """Return the pictures below a folder: paths with slashes, sorted; hidden files are left out."""
    found = (
        path.relative_to(faces).as_posix()
        for path in faces.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    return sorted(found)


def read_inbox(dataset: Path) -> dict[str, dict[str, Any]]:
    """Return what the inbox's manifest says: file → its entry.

    A line that cannot be read (a collector was killed while it wrote) is passed over.
    """
    entries: dict[str, dict[str, Any]] = {}
    try:
        text = (dataset / INBOX_FOLDER / MANIFEST_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return entries
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            entries[str(entry["file"])] = entry
        except (ValueError, KeyError, TypeError):
            continue
    return entries


def find_group(entry: Mapping[str, Any], file: str) -> str:
    """Return the group of a face: its source by content, else by name, else the face alone."""
    sha256 = entry.get("source_sha256")
    return str(sha256)[:16] if sha256 else str(entry.get("source") or Path(file).stem)


def _refresh(dataset: Path, groups: Mapping[str, str]) -> tuple[IndexedFace, ...]:
    faces = dataset / FACES_FOLDER
    try:
        known = {row.path: row for row in _read_index(faces / INDEX_FILE)}
        splits = _read_splits(faces / SPLITS_FILE)
        splits = {row.group: row.split for row in known.values()} | splits
        rows = _make_rows(dataset, known, splits, groups)
        _write_if_new(faces / SPLITS_FILE, _format(("group", "split"), sorted(splits.items())))
        _write_if_new(faces / INDEX_FILE, _format_index(rows))
    except OSError as error:
        kept = "The faces are safe; the index is made at the next change."
        raise explain_os_error(error, str(faces / INDEX_FILE), kept) from error
    return tuple(rows)


def _make_rows(
    dataset: Path,
    known: Mapping[str, IndexedFace],
    splits: dict[str, str],
    groups: Mapping[str, str],
) -> list[IndexedFace]:
    """Return a row for every file; `splits` takes in what is dealt to new groups."""
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
        split = splits.setdefault(group, _deal([splits.get(other, "") for other in mine]))
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


def _read_index(path: Path) -> list[IndexedFace]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = [
            {name: value or "" for name, value in row.items() if name}
            for row in csv.DictReader(io.StringIO(text, newline=""))
        ]
        return [
            IndexedFace(
                row["path"],
                row.get("label", ""),
                row["split"],
                row.get("group", ""),
                {name: value for name, value in row.items() if name not in _COLUMNS},
            )
            for row in rows
            if row.get("path") and row.get("split")
        ]
    except FileNotFoundError:
        return []
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(
            f"{path} is not a CSV file in UTF-8 ({error}): repair or remove it."
        ) from error


def _read_splits(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        return {
            row["group"]: row["split"]
            for row in csv.DictReader(io.StringIO(text, newline=""))
            if row.get("group") and row.get("split")
        }
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        raise BadInputError(
            f"{path} is not a CSV file in UTF-8 ({error}): repair or remove it."
        ) from error


def _format_index(rows: list[IndexedFace]) -> str:
    more = list(dict.fromkeys(name for row in rows for name in row.more))
    return _format(
        (*_COLUMNS, *more),
        [
            (row.path, row.label, row.split, row.group, *(row.more.get(name, "") for name in more))
            for row in rows
        ],
    )


def _format(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def _write_if_new(path: Path, text: str) -> None:
    data = text.encode()
    try:
        if path.read_bytes() == data:
            return
    except FileNotFoundError:
        pass
    replace_file(path, data)
