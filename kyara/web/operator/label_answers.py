"""What the labelling page is told: faces with suggestions, names, counts and history, as JSON."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _

from kyara.dataset.folder import read_inbox, read_index
from kyara.dataset.review.labelling import NOT_A_FACE, FaceState, LabelJournal, name_file
from kyara.dataset.review.labelling.counts import count_characters
from kyara.dataset.review.labelling.suggestions import read_suggestions
from kyara.errors import ConflictError
from kyara.recognition.characters import Character, name_after_label
from kyara.recognition.name_search import find_namesakes

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier

MAX_HISTORY = 500
"""Most actions that a page can undo before it asks for older ones."""


class Describer:
    """Answers of one request: everything in them is of one moment of the model.

    Attributes:
        names: label → name and work, of every label that was described so far.
    """

    def __init__(self, journal: LabelJournal, classifier: Classifier | None, language: str) -> None:
        self.names: dict[str, dict[str, str]] = {}
        self._journal = journal
        self._classifier = classifier
        self._language = language
        self._made = {character.label: character for character in journal.list_characters()}
        self._suggestions = read_suggestions(journal.dataset)
        self._sources = read_inbox(journal.dataset)

    def list_known(self) -> list[Character]:
        """Return everybody that a face can be: of the model, made by operators, or in the folder."""
        known = {row.label: Character(row.label, name_after_label(row.label), {}) for row in self._index}
        known |= self._made
        if self._classifier:
            known |= {character.label: character for character in self._classifier.characters}
        return list(known.values())

    @property
    def _index(self) -> Collection[Any]:
        return read_index(self._journal.dataset)

    def describe_inbox(self, limit: int) -> dict[str, Any]:
        """Return the most useful faces without a label, and what made the suggestions."""
        inbox, suggestions = self._journal.list_inbox(), self._suggestions
        order = suggestions.arrange(inbox) if suggestions else inbox
        unseen = len([face for face in order if not suggestions or face not in suggestions.faces])
        states = self._journal.get_states(order[:limit])
        return {
            "faces": [self.describe_face(state) for state in states],
            "total": len(order),
            "unseen": unseen,
            "model": {
                "name": suggestions.model,
                "made_at": suggestions.made_at,
                "note": suggestions.note,
                "serves": self._serves(suggestions.version),
            }
            if suggestions
            else None,
        }

    def _serves(self, version: str) -> bool:
        return self._classifier is not None and self._classifier.bundle.version == version

    def describe_face(self, state: FaceState) -> dict[str, Any]:
        """Return one face: its state, where it comes from, and what the model says of it."""
        entry = self._sources.get(name_file(state.face), {})
        said = self._suggestions.faces.get(state.face) if self._suggestions else None
        for label in (state.label, *(answer[0] for answer in (said.answers if said else ()))):
            self._name(label)
        return {
            "id": state.face,
            "label": state.label,
            "version": state.version,
            "operator": state.operator,
            "kind": said.kind if said else "unseen",
            "group": said.group if said else "",
            "answers": said.answers if said else (),
            "source": re.split(r"[/\\]", str(entry.get("source") or ""))[-1],
            "time_s": entry.get("time_s"),
        }

    def count_characters(self, only: Collection[str] | None = None) -> list[dict[str, Any]]:
        """Return how much there is of each character, or of some; 0 of those that have nothing."""
        counts = {count.label: count for count in count_characters(self._index)}
        labels = counts.keys() if only is None else only
        answers = []
        for label in sorted(set(labels) - {NOT_A_FACE}):
            self._name(label)
            count = counts.get(label)
            answers.append(
                {
                    "label": label,
                    "drawings": count.drawings if count else 0,
                    "sources": count.sources if count else 0,
                    "warnings": count.warnings if count else (),
                }
            )
        return answers

    def list_history(self, operator: str) -> list[dict[str, Any]]:
        """Return an operator's own actions that can be undone, the newest last."""
        steps = self._journal.list_steps(operator, most=MAX_HISTORY, standing=True)
        return [{"id": step.id, "faces": step.items} for step in reversed(steps)]

    def _name(self, label: str | None) -> None:
        """Put the name of a label among the names."""
        if label is None or label == NOT_A_FACE or label in self.names:
            return
        try:
            known = self._classifier.character(label) if self._classifier else None
        except KeyError:
            known = None
        known = known or self._made.get(label) or Character(label, name_after_label(label), {})
        said = known.to_json(self._language)
        self.names[label] = {"name": said["name"], "work": said["work"]}


def refuse_known(everybody: Collection[Character], label: str, name: str, language: str) -> None:
    """Refuse a character to be added who is there already.

    Args:
        everybody: who is there.
        label: of the new one.
        name: the whole name that nobody may have; empty: another character may have it.
        language: of the names in the sentence.

    Raises:
        ConflictError: somebody has the label or the name.
    """
    taken = [one for one in everybody if one.label == label] or find_namesakes(everybody, name, 1)
    for known in taken:
        who = {"name": known.name_in(language), "label": known.label}
        raise ConflictError(
            _(
                "%(name)s (%(label)s) has this name already. Choose who it is from the list; if it is "
                "somebody else, give another label, such as work/name.",
                **who,
            )
            if name
            else _(
                "%(name)s (%(label)s) has this label already. Choose who it is from the list; if it is "
                "somebody else, give another label, such as work/name.",
                **who,
            )
        )
