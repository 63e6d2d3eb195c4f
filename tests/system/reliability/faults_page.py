"""The table of faults in docs/reliability.md: the tests write it (`make reliability`) and check it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
WRITE = os.environ.get("KYARA_WRITE_RELIABILITY") == "1"


@dataclass(frozen=True)
class Row:
    """One fault, and how the site bore it."""

    fault: str
    test: str
    broken: str
    seen: str
    lost: str
    recovery: str

    def to_line(self) -> str:
        cells = (self.fault, f"`{self.test}`", self.broken, self.seen, self.lost, self.recovery)
        return f"| {' | '.join(cells)} |"

    def without_time(self) -> str:
        """Return what is the same on every machine."""
        return self.to_line().rpartition(" | ")[0]


def find_block(page: str, name: str) -> tuple[int, int]:
    """Return where a block that the tests write begins and ends."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page, re.S)
    assert found, f"docs/reliability.md has no block {name}"
    return found.start(1), found.end(1)


def read_block(name: str) -> str:
    """Return a block."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = find_block(page, name)
    return page[start:end]


def write_block(name: str, text: str) -> None:
    """Replace a block."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = find_block(page, name)
    PAGE.write_text(page[:start] + text + page[end:], encoding="utf-8")


def read_lines() -> dict[str, str]:
    """Return the lines of the table by the test's name."""
    lines = [line for line in read_block("faults").splitlines() if "| `test_" in line]
    return {line.split("`")[1]: line for line in lines}


def keep_row(row: Row) -> None:
    """Write a row, or check the one that is there; times may differ."""
    lines = read_lines()
    if not WRITE:
        assert lines.get(row.test, "").rpartition(" | ")[0] == row.without_time(), (
            f"docs/reliability.md is not of this code: run `make reliability`. Now: {row.to_line()}"
        )
        return
    lines[row.test] = row.to_line()
    head, rule = read_block("faults").splitlines()[:2]
    write_block("faults", "\n".join([head, rule, *lines.values()]) + "\n")
