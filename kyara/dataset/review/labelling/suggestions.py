"""What the model says of the faces in the inbox: read by the site, made by `review.suggesting`.

`inbox/suggestions.json` holds the faces in the order in which labelling them is most useful: uncertain
ones, then those that nobody known looks like, then those that the model is sure of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kyara.dataset.folder import INBOX_FOLDER
from kyara.errors import BadInputError
from kyara.storage.atomic import explain_os_error, replace_file
from kyara.storage.rereading import read_once

SUGGESTIONS_FILE = "suggestions.json"
FORMAT = 1


@dataclass(frozen=True)
class Suggestion:
    """What the model says of one face.

    Attributes:
        kind: `uncertain`, `new` or `sure`, the order in which faces are shown; a face that the model has
            not seen yet has none of them.
        group: look-alikes share one; empty where it has none.
        answers: label and confidence (0 to 1) of at most five characters, best first.
    """

    kind: str
    group: str
    answers: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Suggestions:
    """What one model said of an inbox.

    Attributes:
        model: name of the bundle.
        version: of the bundle.
        made_at: when, ISO 8601.
        note: what could not be done, for people to read; or empty.
        faces: by id, the most useful first.
    """

    model: str
    version: str
    made_at: str
    note: str = ""
    faces: Mapping[str, Suggestion] = field(default_factory=dict)

    def arrange(self, faces: Iterable[str]) -> list[str]:
        """Return faces, the most useful first; those that the model has not seen come last."""
        wanted = set(faces)
        known = [face for face in self.faces if face in wanted]
        return known + sorted(wanted.difference(known))


def read_suggestions(dataset: Path) -> Suggestions | None:
    """Return what is kept in the inbox; None where nothing is.

    Raises:
        BadInputError: the file is of another shape.
    """
    path = dataset / INBOX_FOLDER / SUGGESTIONS_FILE
    try:
        return _read(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(
            f"{path} cannot be read ({error!r}): remove it and ask the model again."
        ) from error


def write_suggestions(dataset: Path, suggestions: Suggestions) -> None:
    """Replace what is kept in the inbox, in one step.

    Raises:
        StorageFullError: no room; the old ones stay.
        KyaraError: the inbox cannot be written.
    """
    path = dataset / INBOX_FOLDER / SUGGESTIONS_FILE
    document = {"format": FORMAT, **asdict(suggestions)}
    try:
        replace_file(path, json.dumps(document, separators=(",", ":")) + "\n")
    except OSError as error:
        raise explain_os_error(error, str(path), "The earlier suggestions stay.") from error


@read_once
def _read(path: Path) -> Suggestions:
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']}; this Kyara reads {FORMAT}")
    faces = {
        str(face): Suggestion(
            str(entry["kind"]),
            str(entry["group"]),
            tuple((str(label), float(confidence)) for label, confidence in entry["answers"]),
        )
        for face, entry in document["faces"].items()
    }
    model, version, made_at, note = (
        str(document[name]) for name in ("model", "version", "made_at", "note")
    )
    return Suggestions(model, version, made_at, note, faces)
