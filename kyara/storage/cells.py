"""Cells of a CSV table that no spreadsheet takes for a formula.

Source: OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import TextIO

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # the last four: full width
_GUARDED = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def guard_cell(value: object) -> object:
    """Return what to write for a value: text that would be run gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def write_rows(out: TextIO, rows: Iterable[Iterable[object]]) -> None:
    """Write rows of CSV, each cell as `guard_cell` has it; numbers are written as they are."""
    plain = csv.writer(out, lineterminator="\n")
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = [guard_cell(value) for value in row]
        # `csv` leaves a carriage return bare, and whoever reads it takes it for the end of the row
        (quoted if any("\r" in str(cell) for cell in cells) else plain).writerow(cells)


def read_cell(text: str) -> str:
    """Return what `guard_cell` was given."""
    return text[1:] if _GUARDED.match(text) else text
