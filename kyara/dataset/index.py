"""CSV tables of a dataset: `index.csv`, which names its faces, is read and written here alone.

Who reads it decides what a row means: `manifest` for learning, `folder` for the dataset that grows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from kyara.errors import BadInputError
from kyara.storage.cells import read_cell, write_rows

INDEX_FILE = "index.csv"


def read_rows(path: Path, data: bytes | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each row's last line, and its cells by column; empty cells are "".

    Args:
        path: of the table.
        data: its bytes, where they are at hand.

    Raises:
        BadInputError: it is not CSV in UTF-8.
        OSError: it cannot be read.
    """
    data = path.read_bytes() if data is None else data
    try:
        # a spreadsheet may put a byte order mark before the first column's name
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        for row in reader:
            yield reader.line_num, {name: read_cell(cell or "") for name, cell in row.items() if name}
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(
            f"{path} is not a CSV file in UTF-8 ({error}): repair or remove it."
        ) from error


def format_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV; `read_rows` gives the same cells back."""
    buffer = io.StringIO()
    write_rows(buffer, chain([header], rows))
    return buffer.getvalue()
