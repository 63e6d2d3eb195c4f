"""The formats of files by name. To add one: a module beside this one, a line here, and its help."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kyara.dataset.library.export.coco import make_coco
from kyara.dataset.library.export.danbooru import make_danbooru
from kyara.dataset.library.export.hydrus import make_hydrus
from kyara.dataset.library.export.imagefolder import make_imagefolder
from kyara.dataset.library.export.table import make_table
from kyara.dataset.library.export.target import Target
from kyara.dataset.library.export.writing import NewFile
from kyara.dataset.library.export.xmp import make_xmp
from kyara.dataset.library.export.yolo import make_yolo
from kyara.dataset.library.reading import LibraryPicture

MakeFormat = Callable[[Sequence[LibraryPicture], Target], Iterator[NewFile]]

FORMATS: dict[str, MakeFormat] = {
    "xmp": make_xmp,
    "hydrus": make_hydrus,
    "danbooru": make_danbooru,
    "metadata.jsonl": make_imagefolder,
    "coco": make_coco,
    "yolo": make_yolo,
    "csv": make_table,
}
"""Name of a format -> what gives its files, the same each time that it is asked."""
