"""The journal of a sorting: what was done, a line before each act, and how it is taken back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kyara.dataset.library.export.journal_file import (
    JournalFile,
    explain_undoing,
    mark_undone,
    read_lines,
)
from kyara.errors import BadInputError
from kyara.recognition.bundle import hash_file
from kyara.storage.atomic import find_partials, move_file

JOURNAL_PREFIX = "kyara-sort-"
NO_PICTURES = ("folder", "sidecar")
"""Acts that place no picture."""
_ACTS = ("folder", "link", "copy", "move", "sidecar")
_MOVES = ("move", "sidecar")


@dataclass(frozen=True)
class Act:
    """What was done, or was about to be.

    Attributes:
        kind: `folder`, `link`, `copy` or `move`; `sidecar`: a file beside a picture was moved, just
            before the picture.
        source: of the picture or the sidecar; of a folder the folder itself.
        target: what was made.
        sha256: of the file; None of a link and of a folder.
    """

    kind: str
    source: Path
    target: Path
    sha256: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Return the line's object."""
        return {
            "act": self.kind,
            "from": str(self.source),
            "to": str(self.target),
            "sha256": self.sha256,
        }


class SortJournal(JournalFile):
    """A journal of a sorting that is being written."""

    def write(self, act: Act) -> None:
        """Write what is about to be done, to the disk itself.

        Raises:
            OSError: it cannot be written; then it may not be done.
        """
        self.write_line(act.to_json())

    def make_folder(self, folder: Path) -> None:
        """Make a folder, and tell so, if there is none."""
        if not folder.is_dir():
            self.make_folder(folder.parent)
            self.write(Act("folder", folder, folder))
            folder.mkdir(exist_ok=True)


def undo_sorting(
    path: Path, keep: Callable[[str], object], progress: Callable[[int], object] = lambda _: None
) -> int:
    """Take back what a journal tells, the last act first; the journal is called `.undone` then.

    What has changed since stays: a copy with another content, a place that is taken again. A sidecar
    stays with its picture.

    Args:
        path: of the journal.
        keep: is told a sentence for what stays.
        progress: is told of each act.

    Returns:
        How many pictures were taken back.

    Raises:
        BadInputError: it is no journal.
        KyaraError: something cannot be taken back; the same journal goes on then.
    """
    undone, picture_stays = 0, False
    for act in reversed(read_journal(path)):
        if act.kind == "sidecar" and picture_stays:
            progress(1)
            continue
        with explain_undoing(act.target):
            done, reason = _undo(act)
        if act.kind not in NO_PICTURES:
            undone += done
            picture_stays = bool(reason)
        if reason:
            keep(f"{act.target} stays: {reason}.")
        progress(1)
    mark_undone(path)
    return undone


def read_journal(path: Path) -> list[Act]:
    """Return the acts of a journal; a last line that was cut short tells none.

    Raises:
        BadInputError: it is no journal.
    """
    acts = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            told = json.loads(line)
            act = Act(told["act"], Path(told["from"]), Path(told["to"]), told["sha256"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(f"Line {number} of {path} is none of a sorting's journal.") from error
        if act.kind not in _ACTS:
            raise BadInputError(f"Line {number} of {path} tells an unknown act {act.kind!r:.40}.")
        acts.append(act)
    return acts


def is_left_over(source: Path, target: Path, sha256: str | None) -> bool:
    """Tell whether a move from one disk to another was cut short: the file is in both places.

    Args:
        source: where it was.
        target: where it was moved to.
        sha256: of the file.
    """
    files = all(path.is_file() and not path.is_symlink() for path in (source, target))
    return files and not source.samefile(target) and hash_file(source) == hash_file(target) == sha256


def read_moves(out: Path) -> dict[tuple[Path, Path], str | None]:
    """Return what journals in a folder tell of moves: source and target → SHA-256."""
    moves: dict[tuple[Path, Path], str | None] = {}
    for path in sorted(out.glob(f"{JOURNAL_PREFIX}*.jsonl")):
        with suppress(BadInputError):  # of another program, or damaged
            moves |= {(a.source, a.target): a.sha256 for a in read_journal(path) if a.kind in _MOVES}
    return moves


def _undo(act: Act) -> tuple[bool, str]:
    """Take an act back; return whether anything was, and why something stays."""
    source, target = act.source, act.target
    if act.kind == "folder":
        with suppress(OSError):  # others have put something into it, or it was never made
            target.rmdir()
        return False, ""
    if act.kind in ("copy", *_MOVES):  # a run that was killed leaves a part of it
        for part in find_partials(target):
            part.unlink()
    if not os.path.lexists(target):
        return False, ""
    if act.kind in _MOVES:
        if os.path.lexists(source):
            if not is_left_over(source, target, act.sha256):
                return False, f"there is a {source} again"
            target.unlink()  # a run was killed when the copy on another disk was there
            return True, ""
        source.parent.mkdir(parents=True, exist_ok=True)
        move_file(target, source)
        return True, ""
    if act.kind == "link" and not (target.is_symlink() and os.readlink(target) == str(source)):
        return False, "it is not the link that was made"
    if act.kind == "copy" and (target.is_symlink() or hash_file(target) != act.sha256):
        return False, "it was changed since"
    target.unlink()
    return True, ""
