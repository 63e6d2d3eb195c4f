"""Every page in a real Chromium under its two policies: no page is refused anything that it needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from operator_steps import StartServer, log_in, start_with_operator
from playwright.sync_api import Browser, Page, expect

from scripts.local_site import Server

OPERATOR_PAGES = ("", "reports", "label", "datasets", "characters", "library", "groups", "models")


@pytest.fixture
def page(browser: Browser):
    """A page on which every message of the console is a failure, warnings included."""
    context = browser.new_context()
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(f"{page.url}: {message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(f"{page.url}: {error}"))
    yield page
    context.close()
    assert not told, "\n".join(told)


def test_visitors_pages_and_the_api_documents_load_without_a_complaint(page: Page, server: Server):
    page.goto(server.url)
    page.wait_for_selector("html[data-ready]", state="attached")
    page.goto(f"{server.url}/api/docs")
    operation = page.locator(".opblock-summary").first
    operation.click()
    expect(page.locator(".opblock-body").first).to_be_visible()


def test_operators_pages_load_without_a_complaint(page: Page, own_server: StartServer, tmp_path: Path):
    server = start_with_operator(own_server, tmp_path)
    log_in(page, server)
    expect(page.locator("#operator-name")).to_have_text("rin")
    for name in OPERATOR_PAGES:
        page.goto(f"{server.url}/operator/{name}")
        expect(page.locator("#operator-name")).to_have_text("rin")
        page.wait_for_load_state("load")
    page.goto("about:blank")  # the models page listens to the server, which is about to stop


def test_an_inline_script_does_not_run(browser: Browser, server: Server):
    context = browser.new_context()
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(server.url)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in line for line in told)
    context.close()
