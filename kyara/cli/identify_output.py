"""What `identify` prints of pictures: one after the other, so that there may be any number of them."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TextIO

import click

from kyara.storage.cells import write_rows

Form = Literal["json", "csv", "text"]


def print_images(images: Iterable[dict[str, Any]], model: Mapping[str, str], form: Form) -> None:
    """Print pictures, as the JSON document has them."""
    if form == "json":
        print_document(model, "images", images)
    elif form == "csv":
        _write_csv(images, sys.stdout)
    else:
        for image in images:
            click.echo(_format_text(image))


def print_document(model: Mapping[str, str], name: str, entries: Iterable[dict[str, Any]]) -> None:
    """Print `{"model": …, name: [entries]}` as `json.dumps(…, indent=1)` would, one entry at a time."""
    head = json.dumps({"model": model}, ensure_ascii=False, indent=1)
    out = [f'{head[:-2]},\n "{name}": [']
    separator = "\n"
    for entry in entries:
        text = json.dumps(entry, ensure_ascii=False, indent=1)
        out.append(separator + textwrap.indent(text, "  "))
        click.echo("".join(out), nl=False)
        out, separator = [], ",\n"
    end = "\n ]" if separator != "\n" else "]"
    click.echo("".join([*out, end, "\n}"]))


def _write_csv(images: Iterable[dict[str, Any]], out: TextIO) -> None:
    box = ("x", "y", "width", "height")
    answers = ("label", "name", "work", "confidence", "similarity")
    write_rows(out, [["source", "face", *box, "verdict", "rank", *answers]])
    for image in images:
        for number, face in enumerate(image["faces"], start=1):
            head = [image["source"], number, *face["box"].values(), face["verdict"]]
            ranked = enumerate(face["answers"], start=1)
            write_rows(out, ([*head, rank, *answer.values()] for rank, answer in ranked))


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
