"""axe-core in the page: what it finds, in both colour schemes.

Source: https://github.com/dequelabs/axe-core/blob/develop/doc/API.md
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_RUN = """async () => (await axe.run({ resultTypes: ["violations"] })).violations.flatMap(
    ({ id, nodes }) => nodes.map((node) => [id, node.target.join(" "), node.failureSummary]))"""

_FIND_BLANK = """() => [...document.querySelectorAll("button, a")].filter((each) =>
    each.checkVisibility() && each.querySelector("svg") && !each.innerText.trim() &&
    ![...each.querySelectorAll("svg, img, canvas")].some(
        (shown) => shown.getBoundingClientRect().width > 0)
).map((each) => each.outerHTML)"""


class Inspection:
    """What axe found on a page, state by state."""

    def __init__(self, page: Page) -> None:
        """Take the page; its transitions are off, so that every colour is the final one."""
        assert AXE.exists(), "No axe-core: run scripts/install_browser_libraries.py --checkers."
        self.page = page
        self.problems: list[str] = []

    def look(self, state: str) -> None:
        """Note what axe finds in this state, buttons that show nothing, and whether there is one h1."""
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            if not self.page.evaluate("'axe' in globalThis"):
                self.page.evaluate(AXE.read_text(encoding="utf-8"))
            for rule, target, summary in self.page.evaluate(_RUN):
                words = " ".join(summary.split())
                self.problems.append(f"{state}, {scheme}: {rule} at {target}: {words}")
        blank = self.page.evaluate(_FIND_BLANK)
        self.problems += [f"{state}: nothing is seen of {element}" for element in blank]
        headings = self.page.locator("h1").count()
        if headings != 1:
            self.problems.append(f"{state}: {headings} h1")

    def conclude(self) -> None:
        """Fail with everything that was found."""
        assert not self.problems, "\n".join(self.problems)
