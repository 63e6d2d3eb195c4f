"""The README and docs/: links lead somewhere, and files that are named exist and hold what is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import ROOT

from kyara.cli import main
from scripts.write_cli_reference import PAGE, render_reference

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINKS = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
NAMED = re.compile(r"`((?:[\w-]+/)+[\w.-]*|[\w-]+\.(?:py|js|html|css))(?::(\w+))?`")
OTHER_FOLDERS = (
    "inbox",
    "faces",
    "reports",
    "versions",
    "instance",
    "dataset",
    "runs",
    "set_aside",
    "cache",
)
"""Folders of an installation, which the repository does not have."""
NOT_YET = {
    "model/detector.json",
    "translations/ko/LC_MESSAGES/messages.po",
}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def list_anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", read(path), flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    for target, anchor in LINKS.findall(read(path)):
        found = path.parent / target if target else path
        assert found.exists(), target
        if anchor:
            assert anchor in list_anchors(found), f"{target}#{anchor}"


@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if path.name == "architecture.md" or path.parent.name == "how-to"],
    ids=lambda path: path.name,
)
def test_every_file_that_is_named_exists_and_holds_what_is_named(path):
    named = [(name, what) for name, what in NAMED.findall(read(path)) if "/" in name]
    assert named
    for name, what in named:
        if name.split("/")[0] in OTHER_FOLDERS or "<" in name or name in NOT_YET:
            continue
        found = next((base / name for base in (ROOT, ROOT / "kyara") if (base / name).exists()), None)
        assert found, f"there is no {name}"
        if what:
            assert re.search(rf"(def|class|function) {what}\b|^{what}\b", read(found), re.M), (
                name,
                what,
            )


def test_the_map_of_the_readme_names_every_wing():
    wings = {path.parent.name for path in (ROOT / "kyara").glob("*/__init__.py")}
    text = read(ROOT / "README.md")
    assert {wing for wing in wings if f"{wing}/" not in text} == set()


def test_the_command_reference_is_what_the_commands_say():
    assert read(PAGE) == render_reference(main), "run `make cli-reference`"
