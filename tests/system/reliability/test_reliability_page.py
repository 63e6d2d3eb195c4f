"""docs/reliability.md tells of every fault test, and of no other."""

from __future__ import annotations

import ast
from pathlib import Path

from faults_page import read_block, read_lines


def list_fault_tests() -> set[str]:
    """Return the tests that write a row."""
    found = set()
    for path in Path(__file__).parent.glob("test_faults_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and "record" in {arg.arg for arg in node.args.args}:
                found.add(node.name)
    return found


def test_the_page_tells_of_every_fault():
    assert set(read_lines()) == list_fault_tests()


def test_the_page_has_the_figures_of_a_full_soak():
    assert "64 clients, 120 s" in read_block("soak")
