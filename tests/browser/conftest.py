"""A real Chromium in front of a real gunicorn with the tiny model.

Every page fails its test on a console error, on an exception, and on a request that leaves the machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from steps import LOCALES, OpenPage

from scripts.local_site import Server

CHROMIUM_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, "No Chromium on the path: run scripts/install_chromium.sh."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that most tests share."""
    server = Server(tmp_path_factory.mktemp("reports"), model=tiny_model_folder)
    yield server
    server.stop()


@pytest.fixture
def own_server(tiny_model_folder: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers that a test may stop, or set up differently."""
    servers: list[Server] = []

    def start(model: Path = tiny_model_folder, **settings: Any) -> Server:
        servers.append(Server(tmp_path / "reports", model=model, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


class Watch:
    """Everything that a page did and should not have done."""

    def __init__(self, page: Page, url: str, failures_expected: bool) -> None:
        self.failures_expected = failures_expected
        self.problems: list[str] = []
        self.allowed = (url, "data:", "blob:")
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        # Chromium itself reports every failed request as an error; some tests make requests fail.
        if self.failures_expected and message.text.startswith("Failed to load resource"):
            return
        if message.type == "error":
            self.problems.append(f"console error: {message.text}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith(self.allowed):
            self.problems.append(f"request to {request.url}")


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> Iterator[dict[str, BrowserContext]]:
    """A browser profile for each language, so that OpenCV is fetched and compiled once."""
    contexts = {
        locale: browser.new_context(locale=locale, viewport={"width": 1280, "height": 900})
        for locale in LOCALES.values()
    }
    yield contexts
    for context in contexts.values():
        context.close()


@pytest.fixture
def open_page(
    browser: Browser, contexts: dict[str, BrowserContext], server: Server
) -> Iterator[OpenPage]:
    """Open the page: `open_page("ja", width=360)`; it is watched until the test ends.

    Options of a browser context, a server of the test's own or `fresh=True` make a profile of its own.
    """
    pages: list[Page] = []
    watches: list[Watch] = []
    own: list[BrowserContext] = []

    def open_page(
        language: str = "en",
        *,
        at: Server | None = None,
        width: int = 1280,
        height: int = 900,
        failures_expected: bool = False,
        fresh: bool = False,
        **options: Any,
    ) -> Page:
        url = (at or server).url
        context = contexts[LOCALES[language]]
        if fresh or at or options:
            context = browser.new_context(locale=LOCALES[language], **options)
            own.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.set_viewport_size({"width": width, "height": height})
        pages.append(page)
        watches.append(Watch(page, url, failures_expected))
        page.goto(url)
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.context.clear_cookies()
        page.context.set_offline(False)
        page.close()
    for context in own:
        context.close()
    problems = [problem for watch in watches for problem in watch.problems]
    assert not problems, "\n".join(problems)
