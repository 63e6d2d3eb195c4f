"""What `identify` prints of pictures: one after the other, so that there may be any number of them."""

from __future__ import annotations

import io
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import click

from kyara.cli.options import is_plain
from kyara.recognition.answers import FaceAnswers
from kyara.recognition.bundle import Bundle
from kyara.storage.cells import write_rows
from kyara.storage.paths import show_path

Form = Literal["json", "csv", "text"]
_ANSWER_COLUMNS = ("label", "name", "work", "confidence", "similarity")
PICTURE_COLUMNS = ("source", "face", "x", "y", "width", "height", "verdict", "rank", *_ANSWER_COLUMNS)
BOTH_COLUMNS = ("source", "face", "track", "start_s", "end_s", *PICTURE_COLUMNS[2:])
"""Of a table of pictures and videos."""


@dataclass
class Failures:
    """What could not be worked on: one line on stderr each."""

    count: int = 0

    def tell(self, name: str, error: str) -> None:
        """Say what is wrong with an item."""
        self.count += 1
        self.warn(name, error)

    @staticmethod
    def warn(name: str, sentence: str) -> None:
        """Say something of an item that is worked on all the same."""
        echo(f"kyara: {show_path(name)}: {sentence}", err=True)


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text; what the terminal cannot show becomes `?`."""
    encoding = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), err=err, nl=nl)


def begin_csv(*, bom: bool) -> None:
    """Begin a table for a spreadsheet that wants a byte order mark: what follows is UTF-8."""
    if bom:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        click.echo("\ufeff", nl=False)


def print_images(images: Iterable[dict[str, Any]], model: Mapping[str, str], form: Form) -> None:
    """Print pictures, as the JSON document has them."""
    if form == "json":
        print_document(model, {"images": images})
    elif form == "csv":
        write_table(PICTURE_COLUMNS, (row for image in images for row in list_rows(image)))
    else:
        for image in images:
            echo(_format_text(image))


def print_document(model: Mapping[str, str], lists: Mapping[str, Iterable[dict[str, Any]]]) -> None:
    """Print `{"model": …, name: [entries] …}` as `json.dumps(…, indent=1)` would, an entry at a time."""
    print_lists({"model": model}, lists)


def print_lists(before: Mapping[str, object], lists: Mapping[str, Iterable[dict[str, Any]]]) -> None:
    """Print an object as `json.dumps(…, indent=1)` would: `before`, then lists, an entry at a time."""
    plain = is_plain()
    out = [json.dumps(before, ensure_ascii=plain, indent=1)[:-2] if before else "{"]
    comma = "," if before else ""
    for name, entries in lists.items():
        out.append(f'{comma}\n "{name}": [')
        comma, separator = ",", "\n"
        for entry in entries:
            text = json.dumps(entry, ensure_ascii=plain, indent=1)
            out.append(separator + textwrap.indent(text, "  "))
            click.echo("".join(out), nl=False)
            out, separator = [], ",\n"
        out.append("\n ]" if separator != "\n" else "]")
    click.echo("".join([*out, "\n}"]))


def tell_model(bundle: Bundle) -> dict[str, str]:
    """Return the model as the JSON document has it."""
    return {"name": bundle.name, "version": bundle.version}


def write_table(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV; a cell that a row does not have is empty."""
    names = list(columns)
    write_rows(sys.stdout, [names])
    write_rows(sys.stdout, ([row.get(name) for name in names] for row in rows))


def list_rows(image: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give one row an answer of a picture, as the JSON document has it."""
    for number, face in enumerate(image["faces"], start=1):
        head = {"source": image["source"], "face": number, **face["box"], "verdict": face["verdict"]}
        for rank, answer in enumerate(face["answers"], start=1):
            yield {**head, "rank": rank, **answer}


def _format_text(image: dict[str, Any]) -> str:
    lines = [
        f"{image['source']}: "
        + (f"{len(image['faces'])} face(s)" if image["faces"] else "no face found")
    ]
    for number, face in enumerate(image["faces"], start=1):
        box = face["box"]
        place = f"{box['width']}×{box['height']} at {box['x']},{box['y']}"
        lines.append(f"  {number}. {face['verdict']} ({place})")
        for answer in face["answers"]:
            work = f" — {answer['work']}" if answer["work"] else ""
            lines.append(f"     {answer['confidence']:6.1%}  {answer['name']}{work}")
    return "\n".join(lines)


def say_who(face: FaceAnswers, language: str) -> str:
    """Return what is written at a face; only a name to rely on stands alone, with its confidence."""
    if face.verdict == "unknown":
        return "unknown"
    best = face.answers[0]
    name = best.character.name_in(language)
    return f"{name} {best.confidence:.0%}" if face.verdict == "known" else f"probably {name}"
