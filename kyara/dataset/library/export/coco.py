"""COCO: one JSON file with pictures, boxes and categories; a category is a character.

Source: "COCO data format", https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from kyara.dataset.library.export.choosing import name_face, name_work
from kyara.dataset.library.export.target import Target
from kyara.dataset.library.export.writing import NewFile
from kyara.dataset.library.reading import LibraryFace, LibraryPicture


def make_coco(pictures: Sequence[LibraryPicture], target: Target) -> Iterator[NewFile]:
    """Give the one file; ids count from 1, those of categories in the order of the labels.

    Raises:
        BadInputError: no file is asked for.
    """
    out = target.need_out("file")
    numbered = list(enumerate(pictures, 1))
    faces = [(number, face) for number, picture in numbered for face in picture.faces]
    examples = {face.label: face for _, face in faces if face.label}
    categories = {label: number for number, label in enumerate(sorted(examples), 1)}
    document = {
        "images": [
            {
                "id": number,
                "file_name": target.name_picture(picture),
                "width": picture.width,
                "height": picture.height,
            }
            for number, picture in numbered
        ],
        "annotations": [
            _annotate(number, image, face, categories) for number, (image, face) in enumerate(faces, 1)
        ],
        "categories": [
            {
                "id": number,
                "name": name_face(examples[label], target.language),
                "supercategory": name_work(examples[label], target.language),
                "label": label,
            }
            for label, number in categories.items()
        ],
    }
    yield NewFile(out, (json.dumps(document, ensure_ascii=False) + "\n").encode())


def _annotate(
    number: int, image: int, face: LibraryFace, categories: dict[str, int]
) -> dict[str, object]:
    _, _, width, height = face.box
    return {
        "id": number,
        "image_id": image,
        "category_id": categories[face.label or ""],
        "bbox": list(face.box),
        "area": width * height,
        "iscrowd": 0,
        "score": face.confidence,
    }
