"""The inbox on disk: the faces, the manifest that tells where each is from, and how far each source is.

The order of writing makes it safe to be killed: a frame's lines in the manifest first, then its faces,
then the note that the frame is done. A frame without the note is done again, and gives the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kyara.dataset.folder import INBOX_FOLDER, MANIFEST_FILE
from kyara.dataset.review.labelling import JOURNAL_FILE, LabelJournal, name_face
from kyara.storage.atomic import explain_os_error, hold_lock, read_json_object, replace_file, sync_folder
from kyara.vision.boxes import Box

PROGRESS_FOLDER = ".collecting"
_PARTIAL = re.compile(r"\.([0-9a-f]{24}\.png|[0-9a-f]{32}-[0-9a-f]{12}\.json)\.\d+\.partial")
_KEPT = "What was collected before is kept; the same command goes on."


@dataclass(frozen=True)
class CollectedFace:
    """A face to write.

    Attributes:
        file: its name in the inbox.
        data: PNG.
        source: the file that it is from, as it was named.
        source_sha256: of that file's content.
        time_s: when its frame is shown.
        frame: number of its frame.
        box: in pixels of the frame as the source has it.
        detector: what found it.
        score: the detector's, or None.
    """

    file: str
    data: bytes
    source: str
    source_sha256: str
    time_s: float
    frame: int
    box: Box
    detector: str
    score: float | None

    def to_line(self) -> bytes:
        entry = {
            "file": self.file,
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "source": self.source,
            "source_sha256": self.source_sha256,
            "time_s": round(self.time_s, 3),
            "frame": self.frame,
            "box": self.box.to_json(),
            "detector": self.detector,
            "score": self.score,
        }
        return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def name_collected(source_sha256: str, frame: int, box: Box) -> str:
    """Return the file name of a face: the same face of the same file always has the same."""
    text = f"{source_sha256} {frame} {box.x} {box.y} {box.width} {box.height}"
    return f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.png"


class Inbox:
    """The inbox of a dataset, held by one collector at a time."""

    def __init__(self, folder: Path) -> None:
        """Read what is there.

        Raises:
            KyaraError: it cannot be read or written.
        """
        self.folder = folder
        self.path = folder / MANIFEST_FILE
        try:
            (folder / PROGRESS_FOLDER).mkdir(parents=True, exist_ok=True)
            self._known = self._read_manifest()
        except OSError as error:
            raise explain_os_error(error, str(folder), _KEPT) from error
        self._labelled = _list_labelled(folder)

    @classmethod
    @contextmanager
    def hold(cls, folder: Path) -> Iterator[Inbox]:
        """Be the one collector that writes to an inbox.

        Raises:
            BusyError: another one does.
            KyaraError: it cannot be written.
        """
        busy = f"Another collector writes to {folder}; wait until it has ended."
        with ExitStack() as held:
            try:
                (folder / PROGRESS_FOLDER).mkdir(parents=True, exist_ok=True)
                held.enter_context(hold_lock(folder / PROGRESS_FOLDER / "lock", busy=busy))
            except OSError as error:
                raise explain_os_error(error, str(folder), _KEPT) from error
            _remove_partial(folder)
            yield cls(folder)

    def _read_manifest(self) -> set[str]:
        """Return the files that the manifest names; a last line that was cut off is removed."""
        if not self.path.exists():
            return set()
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
                os.fsync(file.fileno())
        known = set()
        for line in whole.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                known.add(str(json.loads(line)["file"]))
        return known

    def add(self, faces: Sequence[CollectedFace]) -> None:
        """Keep the faces of one frame; those that the inbox or the journal knows stay as they are.

        Raises:
            KyaraError: they cannot be written.
        """
        new = [face for face in faces if face.file not in self._known]
        try:
            if new:
                self._append(b"".join(face.to_line() for face in new))
            for face in faces:
                if name_face(face.file) in self._labelled or (self.folder / face.file).exists():
                    continue
                replace_file(self.folder / face.file, face.data)
        except OSError as error:
            raise explain_os_error(error, str(self.folder), _KEPT) from error
        self._known.update(face.file for face in new)

    def _append(self, lines: bytes) -> None:
        there = self.path.exists()
        with self.path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        if not there:
            sync_folder(self.folder)

    def read_progress(self, source_sha256: str, key: str) -> Mapping[str, Any]:
        """Return the note about a source; empty if there is none, or none that can be read."""
        return read_note(self.folder, source_sha256, key)

    def write_progress(self, source_sha256: str, key: str, note: Mapping[str, Any]) -> None:
        """Note how far a source is.

        Raises:
            KyaraError: it cannot be written.
        """
        path = _find_note(self.folder, source_sha256, key)
        try:
            replace_file(path, json.dumps(note, sort_keys=True).encode() + b"\n")
        except OSError as error:
            raise explain_os_error(error, str(path), _KEPT) from error


def read_note(folder: Path, source_sha256: str, key: str) -> Mapping[str, Any]:
    """Return what an inbox notes about a source; empty if there is nothing that can be read."""
    return read_json_object(_find_note(folder, source_sha256, key))


def _find_note(folder: Path, source_sha256: str, key: str) -> Path:
    return folder / PROGRESS_FOLDER / f"{source_sha256[:32]}-{key}.json"


def _remove_partial(folder: Path) -> None:
    """Remove what a collector that was killed was writing; other programs' files are left alone."""
    for path in (*folder.glob(".*.partial"), *(folder / PROGRESS_FOLDER).glob(".*.partial")):
        if _PARTIAL.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def _list_labelled(folder: Path) -> set[str]:
    """Return the ids of all faces that the dataset's journal has decisions about."""
    dataset = folder.resolve().parent
    if folder.name != INBOX_FOLDER or not (dataset / JOURNAL_FILE).is_file():
        return set()
    journal = LabelJournal(dataset)
    try:
        return set(journal.list_states())
    finally:
        journal.close()
