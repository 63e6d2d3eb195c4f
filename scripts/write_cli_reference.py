"""`make cli-reference`: every command's `--help` → docs/cli.md; a test fails where they differ.

The pages are 80 columns wide and hold nothing of this machine, so they come out the same everywhere.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli.md"
COLUMNS = 80
INTRODUCTION = """\
# The command line

<!-- Written by scripts/write_cli_reference.py (`make cli-reference`) from each command's --help. -->

What `python -m kyara COMMAND --help` prints. Exit status: 0, 1 (bad input, one clear line on
stderr) or 2 (usage). What JSON, CSV and files hold: [output.md](output.md). With more words:
[teach](operating.md#teaching-characters), [reports](operating.md#reports),
[collect, label, dataset](labelling.md), [identify of videos](video.md), [train, evaluate](training.md),
[retrain, promote](learning.md), [many at a time](scale.md#bulk-work-local-processes-or-ray),
[mcp](programs.md#tools-for-a-language-model).
"""


def render_reference(main: click.Group) -> str:
    """Return the reference of a command group as Markdown: its commands in the order of their names."""
    pages = list(_walk(main, "kyara"))
    links = [f"[{path.removeprefix('kyara ')}](#{_make_anchor(path)})" for path, _ in pages[1:]]
    parts = [INTRODUCTION, " · ".join(links) + "\n"]
    parts += [f"## {path}\n\n```text\n{text}\n```\n" for path, text in pages]
    return "\n".join(parts)


def _make_anchor(heading: str) -> str:
    """Return the anchor that GitHub makes of a command's heading."""
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def _walk(
    command: click.Command, path: str, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the path and the help of a command and of all below it."""
    settings: dict[str, Any] = {"terminal_width": COLUMNS, "max_content_width": COLUMNS, "color": False}
    settings |= command.context_settings
    name = path.rpartition(" ")[2]
    context = click.Context(command, parent, info_name=name, **settings)
    yield path, re.sub(r" +$", "", command.get_help(context), flags=re.MULTILINE)
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            if below := command.get_command(context, name):
                yield from _walk(below, f"{path} {name}", context)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from kyara.cli import main as kyara_main

    PAGE.write_text(render_reference(kyara_main), encoding="utf-8")
