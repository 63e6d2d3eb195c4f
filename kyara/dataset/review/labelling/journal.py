"""The journal of labels: an operator's decision in, a durable label and a moved file out."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kyara.dataset.folder import (
    INBOX_FOLDER,
    LOCK_FILE,
    Change,
    IndexedFace,
    change_dataset,
    list_faces_below,
)
from kyara.dataset.names import write_names
from kyara.dataset.review.labelling import placing, rows
from kyara.dataset.review.labelling.journal_file import explain_errors, open_file, write_together
from kyara.dataset.review.labelling.refusals import check_seen, check_undo
from kyara.dataset.review.labelling.rules import (
    Action,
    FaceState,
    check_action_id,
    check_decision,
    check_faces,
    name_face,
    name_file,
)
from kyara.errors import ConflictError, KyaraError, NotFoundError
from kyara.recognition.characters import Character, check_label, check_texts, name_after_label
from kyara.storage.atomic import explain_os_error, hold_lock

JOURNAL_FILE = "labels.db"

_log = logging.getLogger(__name__)


@dataclass
class Recovery:
    """What a start found: ids of faces whose files it moved, and of those that have no file."""

    moved: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class LabelJournal:
    """Labels of the faces of one dataset folder; safe for many threads and processes.

    Attributes:
        dataset: the folder.
        recovery: what the start repaired.
        index: the rows of `faces/index.csv` after the last change that this process made.
    """

    def __init__(self, dataset: Path) -> None:
        """Open the journal, making what is missing, and make the folder equal to it.

        Args:
            dataset: the dataset folder.

        Raises:
            KyaraError: the folder or the journal cannot be used.
        """
        self.dataset = dataset.resolve()
        self.path = self.dataset / JOURNAL_FILE
        self._lock = threading.Lock()
        self.index: tuple[IndexedFace, ...] = ()
        try:
            (self.dataset / INBOX_FOLDER).mkdir(parents=True, exist_ok=True)
            # SQLite does not wait where several processes make the same new file
            with hold_lock(self.dataset / LOCK_FILE):
                self._connection = open_file(self.path)
                self._inode = self.path.stat().st_ino
        except OSError as error:
            raise explain_os_error(error, str(self.dataset), "Nothing was changed.") from error
        self.recovery = self.recover()

    def close(self) -> None:
        """Close the journal; harmless when done twice."""
        self._connection.close()

    def accept(
        self,
        faces: Collection[str] | Mapping[str, str],
        label: str | None,
        operator: str,
        *,
        action: str | None = None,
    ) -> list[FaceState]:
        """Give faces a label; when this returns, it survives a crash and a power cut.

        Args:
            faces: ids, each with the version that the operator saw (`FaceState.version`). Without
                versions only faces that have no label can be given one.
            label: of a character, `NOT_A_FACE`, or None to take the label away.
            operator: who decides.
            action: an id for this decision; the same again changes nothing and returns what is now.

        Returns:
            How these faces are now, in order.

        Raises:
            LabelConflictError: a face is not as the operator saw it; nothing was changed.
            NotFoundError: there is no such face.
            BadInputError: a label or an id that cannot be.
            StorageFullError: no room. What the journal has taken is finished when it is tried again.
        """
        seen: dict[str, str | None] = {face: None for face in faces}
        if isinstance(faces, Mapping):
            seen.update(faces)
        check_faces(seen)
        check_decision(label)
        request = json.dumps({"label": label, "faces": seen}, sort_keys=True)
        with self._change(action, operator, request) as (change, number):
            if number is None:
                check_seen(self._connection, seen)
                self._check_files(seen)
                self._make_folder(label)
                with write_together(self._connection, self.path):
                    number = rows.add_action(
                        self._connection, action or uuid.uuid4().hex, operator, request, None
                    )
                    for face in seen:
                        rows.add_decision(self._connection, number, face, label)
            self._settle(seen)
        self.index = change.index
        return self.get_states(seen)

    def undo(self, undoes: str, operator: str, *, action: str | None = None) -> list[FaceState]:
        """Take back one's own action; every face of it gets the label that it had before.

        Args:
            undoes: id of the action.
            operator: who undoes; must be who acted.
            action: an id for the undo; the same again changes nothing and returns what is now.

        Returns:
            How its faces are now.

        Raises:
            ConflictError: it is another operator's, is undone already, or is itself an undo; or
                (`LabelConflictError`) a face was labelled anew after it. Nothing was changed.
            NotFoundError: there is no such action.
            StorageFullError: as `accept`.
        """
        request = json.dumps({"undoes": undoes})
        with self._change(action, operator, request) as (change, number):
            if number is None:
                taken = check_undo(self._connection, undoes, operator)
                decisions = rows.list_decisions(self._connection, taken["number"])
                for label in {decision["before"] for decision in decisions}:
                    self._make_folder(label)
                with write_together(self._connection, self.path):
                    number = rows.add_action(
                        self._connection, action or uuid.uuid4().hex, operator, request, taken["number"]
                    )
                    for decision in reversed(decisions):
                        rows.add_reversal(self._connection, number, decision)
            faces = [row["face"] for row in rows.list_decisions(self._connection, number)]
            self._settle(faces)
        self.index = change.index
        return self.get_states(faces)

    def get_states(self, faces: Collection[str]) -> list[FaceState]:
        """Return how faces are now; one that nobody has decided on has no version."""
        with self._reading():
            found = [(face, rows.find_last(self._connection, face)) for face in faces]
        return [rows.to_state(row) if row else FaceState(face) for face, row in found]

    def list_states(self) -> dict[str, FaceState]:
        """Return how every face is that was ever decided on, by id."""
        with self._reading():
            return rows.read_states(self._connection)

    def list_inbox(self) -> list[str]:
        """Return the ids of the faces that have no label, sorted."""
        states = self.list_states()
        inbox = self.dataset / INBOX_FOLDER
        faces = (name_face(path) for path in list_faces_below(inbox) if "/" not in path)
        return [face for face in faces if face not in states or states[face].label is None]

    def list_actions(
        self, operator: str | None = None, *, most: int = 100, standing: bool = False
    ) -> list[Action]:
        """Return actions, newest first.

        Args:
            operator: only this one's.
            most: at most so many.
            standing: only decisions that nobody took back.
        """
        with self._reading():
            return rows.list_actions(self._connection, operator, most, standing=standing)

    def list_labels(self, faces: Collection[str]) -> set[str]:
        """Return every label that one of some faces ever had: whose counts a decision may change."""
        with self._reading():
            return {label for face in faces for label in rows.list_labels(self._connection, face)}

    def find_file(self, face: str) -> Path:
        """Return a face's file, wherever it lies now.

        Raises:
            NotFoundError: there is none.
        """
        check_faces({face: None})
        with self._reading():
            places = self._list_places(face)
        path = next((path for path in places if path.is_file()), None)
        if path is None:
            raise NotFoundError(f"There is no face {ascii(face)[:80]} in {self.dataset}.")
        return path

    def read_picture(self, face: str) -> tuple[Path, bytes]:
        """Return a face's file and its content.

        Raises:
            NotFoundError: there is none.
        """
        while True:
            path = self.find_file(face)
            try:
                return path, path.read_bytes()
            except FileNotFoundError:  # it was just moved: look again
                continue

    def add_character(
        self, label: str, operator: str, name: Mapping[str, str], work: Mapping[str, str]
    ) -> Character:
        """Note what people read for a new label; the first note of a label stays.

        Raises:
            BadInputError: a label, name or work that cannot be.
        """
        check_decision(check_label(label))
        name = check_texts(name, "name") or name_after_label(label)
        work = check_texts(work, "work")
        with self._lock, write_together(self._connection, self.path):
            rows.add_character(self._connection, label, name, work, operator)
        known = self.list_characters()
        write_names(self.dataset, known)
        return next(one for one in known if one.label == label)

    def list_characters(self) -> list[Character]:
        """Return the characters that operators made."""
        with self._reading():
            return [Character(*texts) for texts in rows.list_characters(self._connection)]

    def recover(self) -> Recovery:
        """Make the folder equal the journal; files that the journal does not know are left alone.

        Raises:
            KyaraError: a file cannot be moved.
        """
        recovery = Recovery()
        with self._lock, change_dataset(self.dataset) as change:
            files = placing.find_files(self.dataset)
            with explain_errors(self.path):
                states = rows.read_states(self._connection)
            for state in states.values():
                found = files.get(name_file(state.face), [])
                target = placing.find_folder(self.dataset, state.label) / name_file(state.face)
                if found == [target]:
                    continue
                (recovery.moved if found else recovery.missing).append(state.face)
                self._place(state.face, state.label, found)
        self.index = change.index
        write_names(self.dataset, self.list_characters())
        for what in ("moved", "missing"):
            if ids := getattr(recovery, what):
                _log.warning("%s: %d faces %s: %s", self.dataset, len(ids), what, ", ".join(ids[:10]))
        return recovery

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, explain_errors(self.path):
            yield

    @contextmanager
    def _change(
        self, action: str | None, operator: str, request: str
    ) -> Iterator[tuple[Change, int | None]]:
        """Hold journal and folder; give the number of the action where it is a repeat.

        Raises:
            ConflictError: the id was used for something else.
        """
        if action is not None:
            check_action_id(action)
        with self._lock, change_dataset(self.dataset) as change:
            self._check_path()
            with explain_errors(self.path):
                known = rows.find_action(self._connection, action) if action else None
                if known and (known["operator"], known["request"]) != (operator, request):
                    raise ConflictError(f"The action id {action} was used for something else.")
                yield change, known["number"] if known else None

    def _check_path(self) -> None:
        """Refuse to write to a journal that somebody removed or replaced: it would be lost."""
        try:
            same = self.path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise KyaraError(
                f"{self.path} was removed or replaced while it was in use. Nothing was changed; "
                "put it back, or start the site again."
            )

    def _check_files(self, faces: Collection[str]) -> None:
        for face in faces:
            if not any(path.is_file() for path in self._list_places(face)):
                raise NotFoundError(f"There is no face {ascii(face)[:80]} in {self.dataset}.")

    def _make_folder(self, label: str | None) -> None:
        try:
            placing.make_folder(self.dataset, label)
        except OSError as error:
            folder = placing.find_folder(self.dataset, label)
            raise explain_os_error(error, str(folder), "Nothing was changed.") from error

    def _settle(self, faces: Collection[str]) -> None:
        """Move the files of faces to where the journal says."""
        for face in faces:
            last = rows.find_last(self._connection, face)
            self._place(face, last["label"] if last else None, self._list_places(face))

    def _place(self, face: str, label: str | None, places: Collection[Path]) -> None:
        try:
            placing.place_face(self.dataset, face, label, places)
        except OSError as error:
            kept = "The label is safe in the journal; the file follows when this is tried again."
            raise explain_os_error(error, f"The file of face {face}", kept) from error

    def _list_places(self, face: str) -> list[Path]:
        """Return where a face's file may be, by all that was ever decided on it; the likeliest first."""
        last = rows.find_last(self._connection, face)
        labels = [last["label"] if last else None, None]
        labels += sorted(rows.list_labels(self._connection, face))
        folders = [placing.find_folder(self.dataset, label) for label in dict.fromkeys(labels)]
        return [folder / name_file(face) for folder in folders]
