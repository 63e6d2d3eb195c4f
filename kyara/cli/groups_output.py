"""What `groups` prints: groups with suggestions, the faces of one, what came of a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kyara.cli.identify_output import echo
from kyara.cli.options import print_json
from kyara.recognition.characters import NOT_A_FACE
from kyara.storage.paths import show_path

if TYPE_CHECKING:
    from kyara.dataset.library.groups.deciding import Outcome
    from kyara.dataset.library.groups.reading import Group
    from kyara.dataset.library.groups.suggesting import Suggestions
    from kyara.recognition.classifier import Classifier

ACTIONS = {
    "name": "named",
    "not_a_face": "said to be no face",
    "merge": "put together",
    "split": "split",
    "faces": "said of single faces",
}


@dataclass(frozen=True)
class Opened:
    """What every printing needs.

    Attributes:
        classifier: that suggests.
        language: of names.
        as_json: print JSON.
    """

    classifier: Classifier
    language: str
    as_json: bool


def print_groups(engine: Any, opened: Opened, state: str, limit: int) -> None:
    """Print the largest groups in a state."""
    from kyara.dataset.library.groups.reading import State, count_ungrouped, list_groups

    found = list_groups(engine, State(state))
    described = _describe(engine, opened, found[:limit])
    ungrouped = count_ungrouped(engine)
    if opened.as_json:
        print_json({"groups": described, "total": len(found), "ungrouped": ungrouped})
        return
    for entry in described:
        echo(_say_group(entry))
    if len(found) > limit:
        echo(f"And {len(found) - limit} more.")
    if ungrouped:
        echo(f"{ungrouped} unknown face(s) have no group; `kyara groups make` looks at them.", err=True)
    elif not found:
        echo("No groups.", err=True)


def print_group(engine: Any, opened: Opened, number: int) -> None:
    """Print the faces of a group, those that are most like all of them first."""
    from kyara.dataset.library.groups.cutting import find_faces_by_id
    from kyara.dataset.library.groups.reading import find_group, list_faces

    group = find_group(engine, number)
    (described,) = _describe(engine, opened, [group])
    placed = find_faces_by_id(engine, list_faces(engine, [number])[number])
    if opened.as_json:
        faces = [
            {"face": one.id, "path": show_path(one.path), "box": one.box.to_json()} for one in placed
        ]
        print_json({**described, "faces": faces})
        return
    echo(_say_group(described))
    for one in placed:
        box = one.box
        where = f"{box.x},{box.y} {box.width}x{box.height}"
        echo(f"{one.id:8}  {show_path(one.path)}  {where}")


def say_outcome(outcome: Outcome, done: str = "Done") -> None:
    """Print what came of a decision, of taking it back, or of doing it again."""
    groups = ", ".join(map(str, outcome.groups))
    told = [f"{done}: {ACTIONS[outcome.action]}, group(s) {groups}."]
    if outcome.taught:
        told.append(f"{outcome.taught} face(s) were taught.")
    if outcome.forgotten:
        told.append(f"{outcome.forgotten} taught face(s) were forgotten.")
    if outcome.unread:
        told.append(f"{outcome.unread} were not taught: their pictures are gone or have changed.")
    echo(" ".join(told))
    if outcome.problem:
        echo(f"kyara: The model was not taught: {outcome.problem}", err=True)


def _describe(engine: Any, opened: Opened, groups: list[Group]) -> list[dict[str, Any]]:
    from kyara.dataset.library.groups.suggesting import Suggestions, suggest

    found = suggest(engine, opened.classifier, [group.id for group in groups])
    return [
        {
            "group": group.id,
            "state": str(group.state),
            "label": group.label if group.label != NOT_A_FACE else None,
            "faces": group.size,
            "suggestions": _describe_suggestions(opened, found.get(group.id, Suggestions())),
            "near": [
                {"group": near.id, "label": near.label, "similarity": round(near.similarity, 4)}
                for near in found.get(group.id, Suggestions()).groups
            ],
        }
        for group in groups
    ]


def _describe_suggestions(opened: Opened, found: Suggestions) -> list[dict[str, Any]]:
    return [
        {**answer.character.to_json(opened.language), "confidence": round(answer.confidence, 4)}
        for answer in found.characters
    ]


def _say_group(entry: dict[str, Any]) -> str:
    called = f"  {entry['label']}" if entry["label"] else ""
    line = f"{entry['group']:6}  {entry['faces']} face(s){called}"
    likely = [f"{one['name']} {one['confidence']:.0%}" for one in entry["suggestions"]]
    likely += [f"group {one['group']} ({one['similarity']:.2f})" for one in entry["near"]]
    return f"{line}  maybe {', '.join(likely)}" if likely else line
