"""What a person says of groups: a name, no face, split, merged; each can be taken back, without end.

A decision is written with what it changed, and its faces' rows follow in the same transaction. Then the
model is taught, or forgets: that is told if it fails, and the decision stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from kyara.dataset.library.groups.changes import (
    Change,
    Placing,
    merge,
    relabel,
    say_faces,
    split,
)
from kyara.dataset.library.groups.effects import clear_answers, label_faces, note_character
from kyara.dataset.library.groups.reading import Forest
from kyara.dataset.library.groups.teaching import forget_references, teach_group
from kyara.dataset.library.tables import CharacterRow, GroupRow, GroupStepRow
from kyara.errors import ConflictError, KyaraError, NotFoundError
from kyara.recognition.characters import NOT_A_FACE, Character, name_after_label
from kyara.recognition.classifier import Classifier
from kyara.storage.clock import tell_time
from kyara.storage.database import lock_table

_SAY = "faces"
"""The action of a decision about single faces."""


@dataclass
class Outcome:
    """What came of a decision.

    Attributes:
        step: its number; of what was undone the number of that.
        action: what it was: `name`, `not_a_face`, `split`, `merge` or `faces`.
        groups: that it changed, or made.
        taught: references that were made.
        forgotten: references that were taken back.
        unread: faces that were not taught, since their pictures are gone or have changed.
        problem: why the model could not be taught, or could not forget; empty if all is well.
    """

    step: int
    action: str
    groups: list[int]
    taught: int = 0
    forgotten: int = 0
    unread: int = 0
    problem: str = ""


class GroupJournal:
    """Decisions about the groups of one library."""

    def __init__(
        self,
        engine: Engine,
        classifier: Classifier,
        operator: str = "",
        *,
        seen: int | None = None,
        announce: Callable[[], Any] = lambda: None,
    ) -> None:
        """Take the library, and who decides.

        Args:
            engine: the library's.
            classifier: that is taught; it keeps what it is taught.
            operator: who decides; empty on the command line.
            seen: number of the last decision that the person saw; another one since is a conflict.
            announce: called when the model was taught, or has forgotten.
        """
        self._engine, self._classifier = engine, classifier
        self._operator, self._seen, self._announce = operator, seen, announce

    def name(self, group: int, character: Character) -> Outcome:
        """Say who a group shows; the model is taught it.

        Raises:
            NotFoundError: there is no such group.
            ConflictError: it has this name already, or somebody was faster.
        """

        def change(_: Connection, forest: Forest) -> Change:
            return relabel(forest, [group], character.label, character)

        return self._decide("name", change)

    def reject(self, groups: Sequence[int]) -> Outcome:
        """Say that groups show no faces.

        Raises:
            KyaraError: as `name`.
        """
        return self._decide("not_a_face", lambda _, forest: relabel(forest, groups, NOT_A_FACE))

    def merge(self, group: int, others: Sequence[int]) -> Outcome:
        """Put groups together; the name of one is that of all.

        Raises:
            NotFoundError: there is no such group.
            BadInputError: nothing to put together.
            ConflictError: they have different names, or somebody was faster.
        """
        return self._decide("merge", lambda _, forest: merge(forest, group, others))

    def split(self, group: int, faces: Collection[int]) -> Outcome:
        """Take faces out of a group, into one of their own that has no name.

        Raises:
            NotFoundError: there is no such group, or it does not have these faces.
            BadInputError: none of its faces is chosen, or all of them.
            ConflictError: somebody was faster.
        """

        def change(connection: Connection, forest: Forest) -> Change:
            return split(connection, forest, group, sorted(set(faces)))

        return self._decide("split", change)

    def say(self, faces: Collection[int], character: Character | None) -> Outcome:
        """Say who single faces show, whoever a model takes them for; the model is taught it.

        Args:
            faces: their numbers, of any groups or of none.
            character: None: they are no faces.

        Raises:
            NotFoundError: one of them is not there any more.
            BadInputError: none, or too many.
            ConflictError: that is said of all of them already, or somebody was faster.
        """
        label = NOT_A_FACE if character is None else character.label

        def change(connection: Connection, forest: Forest) -> Change:
            return say_faces(connection, forest, sorted(set(faces)), label, character)

        return self._decide(_SAY, change)

    def undo(self) -> Outcome:
        """Take the last decision back.

        Raises:
            NotFoundError: there is none.
            ConflictError: somebody was faster.
        """
        return self._turn(back=True)

    def redo(self) -> Outcome:
        """Do again what was undone last.

        Raises:
            KyaraError: as `undo`.
        """
        return self._turn(back=False)

    def _decide(self, action: str, make: Callable[[Connection, Forest], Change]) -> Outcome:
        with self._engine.begin() as connection:
            self._hold(connection)
            before = Forest.read(connection)
            change = make(connection, before)
            connection.execute(delete(GroupStepRow).where(GroupStepRow.undone.is_(True)))
            step = connection.execute(
                insert(GroupStepRow)
                .values(
                    action=action,
                    operator=self._operator,
                    at=tell_time(),
                    changes=[[group, *both] for group, both in change.placings.items()],
                    undone=False,
                )
                .returning(GroupStepRow.id)
            ).scalar_one()
            if change.character is not None:
                note_character(connection, change.character)
            after = _write(connection, {group: both[1] for group, both in change.placings.items()})
            changed = _label_changed(connection, before, after, change.taught_anew)
        return self._follow(Outcome(step, action, list(change.placings)), changed)

    def _turn(self, *, back: bool) -> Outcome:
        with self._engine.begin() as connection:
            self._hold(connection)
            order = GroupStepRow.id.desc() if back else GroupStepRow.id
            query = select(GroupStepRow.id, GroupStepRow.action, GroupStepRow.changes)
            query = query.where(GroupStepRow.undone.is_(not back)).order_by(order).limit(1)
            step = connection.execute(query).first()
            if step is None:
                raise NotFoundError("There is nothing to undo." if back else "There is nothing to redo.")
            before = Forest.read(connection)
            wanted = {group: first if back else second for group, first, second in step.changes}
            after = _write(connection, wanted)
            if step.action == _SAY and not back:
                clear_answers(connection, list(wanted))  # a model may know them by now
            changed = _label_changed(connection, before, after, set())
            values = update(GroupStepRow).where(GroupStepRow.id == step.id).values(undone=back)
            connection.execute(values)
        return self._follow(Outcome(step.id, step.action, list(wanted)), changed)

    def _hold(self, connection: Connection) -> None:
        """Let nobody else decide until the commit.

        Raises:
            ConflictError: somebody has since the person looked.
        """
        lock_table(connection, GroupStepRow.__table__)
        if self._seen is None:
            return
        query = select(GroupStepRow.id).where(GroupStepRow.undone.is_(False))
        last = connection.scalar(query.order_by(GroupStepRow.id.desc()).limit(1)) or 0
        if last != self._seen:
            raise ConflictError("Somebody else has changed the groups meanwhile. Nothing was changed.")

    def _follow(self, outcome: Outcome, changed: dict[int, tuple[str | None, str | None]]) -> Outcome:
        """Teach the model what groups are now, and let it forget what they were."""
        try:
            for group, (old, new) in changed.items():
                self._forget(outcome, group, old)
                if new is not None and new != NOT_A_FACE:
                    self._teach(outcome, group, new)
        except KyaraError as error:
            outcome.problem = str(error)
        if outcome.taught or outcome.forgotten:
            self._announce()
        return outcome

    def _forget(self, outcome: Outcome, group: int, label: str | None) -> None:
        with self._engine.connect() as connection:
            references = connection.scalar(select(GroupRow.taught).where(GroupRow.id == group)) or []
        if references and label is not None:
            forget_references(self._classifier, label, references)
            outcome.forgotten += len(references)
        self._note(group, [])

    def _teach(self, outcome: Outcome, group: int, label: str) -> None:
        with self._engine.connect() as connection:
            query = select(CharacterRow.name, CharacterRow.work).where(CharacterRow.label == label)
            row = connection.execute(query).first()
        name, work = (row.name, row.work) if row else (name_after_label(label), {})
        taught = teach_group(self._engine, self._classifier, group, Character(label, name, work))
        self._note(group, taught.references)
        outcome.taught += len(taught.references)
        outcome.unread += taught.unread

    def _note(self, group: int, references: list[str]) -> None:
        with self._engine.begin() as connection:
            row = update(GroupRow).where(GroupRow.id == group)
            connection.execute(row.values(taught=references))


def _write(connection: Connection, placings: dict[int, Placing]) -> Forest:
    for group, placing in placings.items():
        connection.execute(update(GroupRow).where(GroupRow.id == group).values(**placing))
    return Forest.read(connection)


def _label_changed(
    connection: Connection, before: Forest, after: Forest, taught_anew: Collection[int]
) -> dict[int, tuple[str | None, str | None]]:
    """Give faces what counts for them now; return group → what counted for it, and what does now."""
    changed = {}
    for group in after.rows:
        old = before.label(group) if group in before.rows else None
        new = after.label(group)
        if old != new:
            label_faces(connection, [group], new)
        if old != new or group in taught_anew:
            changed[group] = old, new
    return changed
