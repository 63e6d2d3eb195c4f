"""A real Chromium in front of a real gunicorn with the tiny model.

Every page fails its test on a console error, on an exception, and on a request that leaves the machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from command_line import run_kyara
from inboxes import fill_inbox
from operator_steps import OpenLibraryPage, StartServer, log_in, send_reports, start_with_operator
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, ViewportSize
from sites import serve_in
from steps import LOCALES, OpenPage
from two_models import copy_model
from verdict_models import write_verdict_model

from kyara.dataset.folder import FACES_FOLDER
from kyara.dataset.manifest import read_manifest, write_index
from kyara.recognition.answers import Verdict
from kyara.recognition.bundle import load_bundle, save_bundle
from kyara.registry import promote_bundle
from scripts.local_site import Server
from scripts.measure_detector import open_chromium

FORGET = """() => new Promise((resolve) => {
    localStorage.clear();
    const deletion = indexedDB.deleteDatabase("kyara-taught");
    deletion.onsuccess = deletion.onerror = deletion.onblocked = resolve;
}).then(() => null)"""
"""What a page has kept of what it was told."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def bare_page(browser: Browser, server: Server) -> Iterator[Page]:
    """A page of the site without anything on it, for its modules."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/healthz")
    yield page
    context.close()


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
        servers.append(serve_in(tmp_path, model, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def verdict_server(
    tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Verdict], Server]]:
    """Return the server whose model says the same of every face: `verdict_server("probably")`."""
    servers: dict[Verdict, Server] = {}

    def start(verdict: Verdict) -> Server:
        if verdict not in servers:
            folder = tmp_path_factory.mktemp(verdict)
            write_verdict_model(tiny_model_folder / "tiny", folder / "model", verdict)
            servers[verdict] = Server(folder / "reports", model=folder / "model")
        return servers[verdict]

    yield start
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="session")
def operator_site(
    tiny_model_folder: Path, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A site with reports, labelled and collected faces, two bundles that served, one that is worse."""
    folder = tmp_path_factory.mktemp("operator")
    models = folder / "model"
    for name in ("first", "second"):
        copy_model(tiny_model_folder / "tiny", models, name)
        promote_bundle(name, models)
    bundle = load_bundle(models / "second")
    one, other, *rest = bundle.characters
    save_bundle(replace(bundle, characters=(other, one, *rest)), models / "worse")
    measured = ("--data", tiny_data, "--out", folder / "out", "--bottlenecks", folder / "cache")
    run_kyara("promote", "worse", "--models", models, *measured, check=False)
    shutil.copy(folder / "out" / "comparison.json", models / "worse")
    labelled = folder / "dataset" / FACES_FOLDER
    shutil.copytree(tiny_data, labelled)
    write_index(labelled, read_manifest(labelled).faces)
    fill_inbox(folder / "dataset", 12)
    site = start_with_operator(partial(serve_in, folder, models), folder)
    send_reports(site, tiny_data / "aka_ribbon", 3)
    yield site
    site.stop()


class Watch:
    """Everything that a page did and should not have done."""

    def __init__(self, page: Page, url: str, failures_expected: bool, elsewhere: str = "") -> None:
        # Chromium itself reports every failed request as an error; some tests make requests fail.
        failed = ["Failed to load resource"] if failures_expected else []
        if failures_expected and elsewhere:  # another site need not allow it
            failed.append(f"Access to fetch at '{elsewhere}")
        self.expected = tuple(failed)
        self.problems: list[str] = []
        self.allowed = (url, "data:", "blob:", *filter(None, [elsewhere]))
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(self.expected):
            self.problems.append(f"console error: {message.text}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith(self.allowed):
            self.problems.append(f"request to {request.url}")


@pytest.fixture(scope="session")
def contexts(browser: Browser, server: Server) -> Iterator[dict[str, BrowserContext]]:
    """A browser profile for each language, so that OpenCV is fetched and compiled once.

    A page that stays open keeps its process: to start one takes a second of a processor.
    """
    contexts = {
        locale: browser.new_context(locale=locale, viewport={"width": 1280, "height": 900})
        for locale in LOCALES.values()
    }
    for context in contexts.values():
        context.new_page().goto(f"{server.url}/healthz")
    yield contexts
    for context in contexts.values():
        context.close()


@pytest.fixture
def open_page(
    browser: Browser, contexts: dict[str, BrowserContext], server: Server
) -> Iterator[OpenPage]:
    """Open the page: `open_page("ja", width=360)`; it is watched until the test ends.

    Options of a browser context, a server of the test's own or `fresh=True` make a profile of its own.
    `elsewhere` is how the addresses of another site begin that the page may ask; the test answers there.
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
        elsewhere: str = "",
        **options: Any,
    ) -> Page:
        url = (at or server).url
        context = contexts[LOCALES[language]]
        if fresh or at or options:
            context = browser.new_context(locale=LOCALES[language], **options)
            own.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.set_viewport_size({"width": width, "height": height})
        pages.append(page)
        watches.append(Watch(page, url, failures_expected, elsewhere))
        page.goto(url)
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for page in pages:
        page.evaluate(FORGET)
        page.context.clear_cookies()
        page.context.set_offline(False)
        page.close()
    for context in own:
        context.close()
    problems = [problem for watch in watches for problem in watch.problems]
    assert not problems, "\n".join(problems)


@pytest.fixture
def open_library_page(
    browser: Browser, own_server: StartServer, tiny_bundle: Path, place: str, tmp_path: Path
) -> Iterator[OpenLibraryPage]:
    """Open a page of the library at the test's `place`: `open_library_page("library", "?who=aka")`.

    The site's model calls nobody known.
    """
    models = tmp_path / "model"
    write_verdict_model(tiny_bundle, models, "unknown")
    server = start_with_operator(own_server, tmp_path, model=models, LIBRARY=place)
    contexts = []

    def open_library_page(name: str, query: str = "", language: str = "en", **size: int) -> Page:
        viewport: ViewportSize = {"width": size.get("width", 1280), "height": size.get("height", 900)}
        contexts.append(browser.new_context(locale=LOCALES[language], viewport=viewport))
        contexts[-1].grant_permissions(["clipboard-read", "clipboard-write"])
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        log_in(page, server, f"/operator/{name}")
        if query:
            page.goto(f"{server.url}/operator/{name}{query}")
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_library_page
    for context in contexts:
        context.close()
