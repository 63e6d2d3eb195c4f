"""The journal of labels: an operator's decision in, a durable label and a moved file out."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.orm import Session, sessionmaker

from kyara.dataset.folder import INBOX_FOLDER, LOCK_FILE, Change, change_dataset, list_faces_below
from kyara.dataset.names import write_names
from kyara.dataset.review import steps
from kyara.dataset.review.journal import ReviewJournal
from kyara.dataset.review.labelling import placing
from kyara.dataset.review.labelling.opening import JOURNAL_FILE, LABELS, open_labels
from kyara.dataset.review.labelling.rules import check_decision, check_faces, name_face, name_file
from kyara.dataset.review.labelling.states import (
    FaceState,
    LabelRecovery,
    choose_verdict,
    describe_face,
    is_seen,
    list_labels,
)
from kyara.dataset.review.steps import Review, Verdict
from kyara.dataset.review.tables import NewCharacterRow, ReviewRow, StepRow
from kyara.errors import KyaraError, NotFoundError
from kyara.recognition.characters import Character, check_label, check_texts, name_after_label
from kyara.storage.atomic import explain_os_error, hold_lock
from kyara.storage.database import explain_database_errors

_MOST_ASKED = 10_000
"""Faces of one query; SQLite takes 32,766 values."""

_log = logging.getLogger(__name__)


class LabelJournal(ReviewJournal):
    """Labels of the faces of one dataset folder; safe for many threads and processes.

    Attributes:
        recovery: what the start repaired.
    """

    noun, kind = "face", LABELS
    refuses_second_undo = True

    def __init__(self, dataset: Path) -> None:
        """Open the journal, making what is missing, and make the folder equal to it.

        Raises:
            KyaraError: the folder or the journal cannot be used.
        """
        super().__init__(dataset)
        self.path = self.dataset / JOURNAL_FILE
        try:
            (self.dataset / INBOX_FOLDER).mkdir(parents=True, exist_ok=True)
            # SQLite does not wait where several processes make the same new file
            with hold_lock(self.dataset / LOCK_FILE):
                self._engine = open_labels(self.path)
                self._inode = self.path.stat().st_ino
        except OSError as error:
            raise explain_os_error(error, str(self.dataset), "Nothing was changed.") from error
        self._sessions = sessionmaker(self._engine)
        self.recovery = self.recover()

    def close(self) -> None:
        """Close the journal; harmless when done twice."""
        self._engine.dispose()

    @property
    def sessions(self) -> sessionmaker[Session]:
        return self._sessions

    def accept(
        self,
        faces: Collection[str] | Mapping[str, str],
        label: str | None,
        operator: str,
        *,
        step: str | None = None,
    ) -> list[FaceState]:
        """Give faces a label; when this returns, it survives a crash and a power cut.

        Args:
            faces: ids, each with the version that the operator saw (`FaceState.version`). Without
                versions only faces that have no label can be given one.
            label: of a character, `NOT_A_FACE`, or None to take the label away.
            operator: who decides.
            step: an id for this decision; the same again changes nothing and returns what is now.

        Returns:
            How these faces are now, in order.

        Raises:
            ReviewConflictError: a face is not as the operator saw it; nothing was changed.
            NotFoundError: there is no such face.
            BadInputError: a label or an id that cannot be.
            StorageFullError: no room. What the journal has taken is finished when it is tried again.
        """
        seen: dict[str, str | None] = {face: None for face in faces}
        if isinstance(faces, Mapping):
            seen.update(faces)
        self._check_count(seen)
        check_faces(seen)
        check_decision(label)
        after, action = choose_verdict(label)
        request = json.dumps({"label": label, "faces": seen}, sort_keys=True)

        def change(session: Session, made: StepRow) -> None:
            states = {state.face: state for state in self._read_states(session, seen)}
            stale = [face for face, version in seen.items() if not is_seen(states[face], version)]
            self._refuse_stale(session, stale, seen)
            for face in seen:
                if not any(path.is_file() for path in self._list_places(session, face)):
                    raise NotFoundError(f"There is no face {ascii(face)[:80]} in {self.dataset}.")
                self._change_item(session, made, face, after)

        self._check_path()
        self._take_step(step, operator, action, request, change)
        return self.get_states(seen)

    def undo(self, undoes: str, operator: str, *, step: str | None = None) -> list[FaceState]:
        """Take back one's own step; every face of it gets the label that it had before.

        Args:
            undoes: id of the step.
            operator: who undoes; must be who acted.
            step: an id for the undo; the same again changes nothing and returns what is now.

        Returns:
            How its faces are now.

        Raises:
            ConflictError: it is another operator's, is undone already, or is itself an undo; or
                (`ReviewConflictError`) a face was labelled anew after it. Nothing was changed.
            NotFoundError: there is no such step.
            StorageFullError: as `accept`.
        """
        self._check_path()
        return self.get_states(self._undo(undoes, operator, step))

    def get_states(self, faces: Collection[str]) -> list[FaceState]:
        """Return how faces are now; one that nobody has decided on has no version."""
        with self._read() as session:
            return self._read_states(session, faces)

    def list_states(self) -> dict[str, FaceState]:
        """Return how every face is that was ever decided on, by id."""
        with self._read() as session:
            return {face: describe_face(last) for face, last in steps.list_last_reviews(session).items()}

    def list_inbox(self) -> list[str]:
        """Return the ids of the faces that have no label, sorted."""
        inbox = self.dataset / INBOX_FOLDER
        faces = [name_face(path) for path in list_faces_below(inbox) if "/" not in path]
        return [state.face for state in self.get_states(faces) if state.label is None]

    def list_labels(self, faces: Collection[str]) -> set[str]:
        """Return every label that one of some faces ever had: whose counts a decision may change."""
        with self._read() as session:
            return set().union(*(list_labels(session, face) for face in faces))

    def read_picture(self, face: str) -> tuple[Path, bytes]:
        """Return a face's file, wherever it lies now, and its content.

        Raises:
            NotFoundError: there is none.
        """
        while True:
            path = self.find_file(face)
            try:
                return path, path.read_bytes()
            except FileNotFoundError:  # it was just moved: look again
                continue

    def find_file(self, face: str) -> Path:
        """Return a face's file, wherever it lies now.

        Raises:
            NotFoundError: there is none.
        """
        check_faces([face])
        with self._read() as session:
            places = self._list_places(session, face)
        path = next((path for path in places if path.is_file()), None)
        if path is None:
            raise NotFoundError(f"There is no face {ascii(face)[:80]} in {self.dataset}.")
        return path

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
        row = {"label": label, "name": name, "work": work, "operator": operator, "at": datetime.now(UTC)}
        with explain_database_errors(LABELS), self.sessions.begin() as session:
            session.execute(insert(NewCharacterRow).prefix_with("OR IGNORE").values(row))
        known = self.list_characters()
        write_names(self.dataset, known)
        return next(one for one in known if one.label == label)

    def list_characters(self) -> list[Character]:
        with self._read() as session:
            made = session.scalars(select(NewCharacterRow).order_by(NewCharacterRow.label))
            return [Character(row.label, row.name, row.work) for row in made]

    def recover(self) -> LabelRecovery:
        """Make the folder equal the journal; files that the journal does not know are left alone.

        Raises:
            KyaraError: a file cannot be moved.
        """
        recovery = LabelRecovery()
        with change_dataset(self.dataset) as change:
            files = placing.find_files(self.dataset)
            for state in self.list_states().values():
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

    def _read_states(self, session: Session, faces: Collection[str]) -> list[FaceState]:
        last: dict[str, Review] = {}
        asked = list(faces)
        for start in range(0, len(asked), _MOST_ASKED):
            some = asked[start : start + _MOST_ASKED]
            last |= steps.list_last_reviews(session, ReviewRow.item.in_(some))
        return [describe_face(last[face]) if face in last else FaceState(face) for face in faces]

    def _change_item(self, session: Session, step: StepRow, item: str, after: Verdict) -> None:
        (state,) = self._read_states(session, [item])
        steps.add_review(session, step, item, choose_verdict(state.label)[0], after)

    def _prepare(self, session: Session, change: Change, items: Collection[str]) -> None:
        for label in {state.label for state in self._read_states(session, items)}:
            try:
                placing.make_folder(self.dataset, label)
            except OSError as error:
                folder = placing.find_folder(self.dataset, label)
                raise explain_os_error(error, str(folder), "Nothing was changed.") from error

    def _settle(self, change: Change, items: Collection[str]) -> None:
        if not items:
            return
        with self._read() as session:
            for state in self._read_states(session, items):
                self._place(state.face, state.label, self._list_places(session, state.face))

    def _place(self, face: str, label: str | None, places: Collection[Path]) -> None:
        try:
            placing.place_face(self.dataset, face, label, places)
        except OSError as error:
            kept = "The label is safe in the journal; the file follows when this is tried again."
            raise explain_os_error(error, f"The file of face {face}", kept) from error

    def _list_places(self, session: Session, face: str) -> list[Path]:
        """Return where a face's file may be, by all that was ever decided on it; the likeliest first."""
        (state,) = self._read_states(session, [face])
        labels = [state.label, None, *sorted(list_labels(session, face))]
        folders = [placing.find_folder(self.dataset, label) for label in dict.fromkeys(labels)]
        return [folder / name_file(face) for folder in folders]

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
