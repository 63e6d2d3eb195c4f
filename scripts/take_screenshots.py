"""Take the README's screenshots from the running app: desktop and phone, light and dark; then the film.

Starts the site as `make run` does, with the model that ships, opens the example picture in Chromium
and writes docs/screenshot*.png, and docs/film/ (`film.py`); `--film` writes the film alone.
"""

from __future__ import annotations

import io
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from film import take_film
from local_site import Server
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--hide-scrollbars")
SETTLE_MS = 600
"""Bars grow for a moment after the answers are there."""


@dataclass(frozen=True)
class Shot:
    """One screenshot: where it goes and how the page is opened."""

    name: str
    width: int
    height: int
    scheme: str
    phone: bool = False


SHOTS = (
    Shot("screenshot", 1280, 1000, "light"),
    Shot("screenshot-dark", 1280, 1000, "dark"),
    Shot("screenshot-phone", 390, 844, "light", phone=True),
    Shot("screenshot-phone-dark", 390, 844, "dark", phone=True),
)


def take(browser: Browser, url: str, shot: Shot) -> Path:
    """Open the example and write one screenshot.

    Returns:
        The file.
    """
    context = browser.new_context(
        locale="en-US",
        color_scheme="dark" if shot.scheme == "dark" else "light",
        viewport={"width": shot.width, "height": shot.height},
        has_touch=shot.phone,
        is_mobile=shot.phone,
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    page.locator("#welcome [data-example]").click()
    page.wait_for_selector('#status[data-kind="done"]', timeout=60_000)
    page.mouse.move(1, 1)
    page.wait_for_timeout(SETTLE_MS)
    image = Image.open(io.BytesIO(page.screenshot()))
    context.close()
    path = ROOT / "docs" / f"{shot.name}.png"
    image.convert("RGB").quantize(256).save(path, optimize=True)
    return path


def main() -> None:
    """Take every screenshot and the film."""
    film_alone = sys.argv[1:] == ["--film"]
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        sys.exit("No Chromium on the path: run scripts/install_chromium.sh.")
    with TemporaryDirectory() as reports, Server(Path(reports)) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        for shot in () if film_alone else SHOTS:
            print(take(browser, site.url, shot).relative_to(ROOT))
        problems = take_film(browser)
        browser.close()
    if problems:
        sys.exit("\n".join(["Not taken:", *problems]))


if __name__ == "__main__":
    main()
