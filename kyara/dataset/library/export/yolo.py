"""YOLO: a text file of boxes for each picture, the list of classes, and what Ultralytics starts from.

    OUT/labels/<as in the root>.txt    class, centre x, centre y, width, height; the latter 0 to 1
    OUT/classes.txt                    label of a character in each line; the first is class 0
    OUT/data.yaml                      the same with names

Source: Ultralytics, "Object detection datasets", https://docs.ultralytics.com/datasets/detect/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kyara.dataset.library.export.choosing import name_face
from kyara.dataset.library.export.target import Target, check_stems
from kyara.dataset.library.export.writing import NewFile, read_file
from kyara.dataset.library.reading import LibraryPicture
from kyara.errors import BadInputError

_NAME = re.compile(r'  (\d+): ("(?:[^"\\]|\\.)*")')
"""A line of data.yaml as it is written here."""


def make_yolo(pictures: Sequence[LibraryPicture], target: Target) -> Iterator[NewFile]:
    """Give the files; classes are in the order of the labels, behind those that `OUT` has already.

    A class keeps its number, so boxes of an earlier export stay right.

    Raises:
        BadInputError: no folder is asked for, or two pictures would have the same file.
    """
    out = target.need_out("folder")
    check_stems(pictures)
    names = {
        face.label: name_face(face, target.language)
        for picture in pictures
        for face in picture.faces
        if face.label
    }
    old = _read_text(out / "classes.txt").splitlines()
    labels = [*old, *sorted(names.keys() - set(old))]
    classes = {label: number for number, label in reversed(list(enumerate(labels)))}  # the first counts
    old_data = _read_text(out / "data.yaml")
    known = _find_names(old_data)
    yield NewFile(out / "classes.txt", "".join(f"{label}\n" for label in labels).encode(), keeps=True)
    # JSON is YAML, and quotes a name such as "no", which YAML would take for false
    told = [
        f"  {number}: {json.dumps(names.get(label) or known.get(number, label), ensure_ascii=False)}\n"
        for number, label in enumerate(labels)
    ]
    data = "train: images\nval: images\nnames:\n" + "".join(told)
    yield NewFile(out / "data.yaml", data.encode(), keeps=data.startswith(old_data))
    for picture in pictures:
        path = out / "labels" / target.relate(picture).with_suffix(".txt")
        yield NewFile(path, _list_boxes(picture, classes).encode())


def _read_text(path: Path) -> str:
    """Return a text; an empty one where there is no such file."""
    try:
        return (read_file(path) or b"").decode()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is there, and no text in UTF-8; move it away.") from error


def _find_names(data: str) -> dict[int, str]:
    """Return what an earlier data.yaml says that classes are called: number → name."""
    found = map(_NAME.fullmatch, data.splitlines())
    return {int(match[1]): json.loads(match[2]) for match in found if match}


def _list_boxes(picture: LibraryPicture, classes: dict[str, int]) -> str:
    lines = []
    for face in picture.faces:
        x, y, width, height = face.box
        shares = (
            (x + width / 2) / picture.width,
            (y + height / 2) / picture.height,
            width / picture.width,
            height / picture.height,
        )
        lines.append(f"{classes[face.label or '']} " + " ".join(f"{share:.8f}" for share in shares))
    return "".join(f"{line}\n" for line in lines)
