"""`metadata.jsonl`: what Hugging Face `datasets` reads with a folder of pictures, a line for each.

Source: "Image dataset: ImageFolder", https://huggingface.co/docs/datasets/image_dataset
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from kyara.dataset.library.export.choosing import name_face, name_work
from kyara.dataset.library.export.target import Target
from kyara.dataset.library.export.writing import NewFile
from kyara.dataset.library.reading import LibraryPicture

METADATA_FILE = "metadata.jsonl"


def make_imagefolder(pictures: Sequence[LibraryPicture], target: Target) -> Iterator[NewFile]:
    """Give the one file, in the folder of the pictures unless another place is asked for.

    `objects` has lists of the same length: `bbox` (x, y, width, height in pixels of the upright
    picture), `names`, `works`, `labels`, `confidences`.
    """
    lines = (json.dumps(_describe(picture, target), ensure_ascii=False) for picture in pictures)
    content = "".join(f"{line}\n" for line in lines)
    yield NewFile(target.out or target.root / METADATA_FILE, content.encode())


def _describe(picture: LibraryPicture, target: Target) -> dict[str, object]:
    faces = picture.faces
    return {
        "file_name": target.name_picture(picture),
        "width": picture.width,
        "height": picture.height,
        "objects": {
            "bbox": [list(face.box) for face in faces],
            "names": [name_face(face, target.language) for face in faces],
            "works": [name_work(face, target.language) for face in faces],
            "labels": [face.label for face in faces],
            "confidences": [face.confidence for face in faces],
        },
    }
