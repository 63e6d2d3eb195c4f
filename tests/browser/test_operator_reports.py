"""Logging in, and reviewing by keyboard, in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from inboxes import fill_inbox
from operator_steps import StartServer, log_in, send_reports, start_with_operator
from playwright.sync_api import Browser, Page, expect
from verdict_models import write_verdict_model

from kyara.recognition.answers import Verdict


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("known", "the visitor says Aka Ribbon"),
        ("probably", "the visitor says Aka Ribbon · probably Aka Ribbon to the model"),
        ("unknown", "the visitor says Aka Ribbon · unknown to the model; its closest guesses:"),
    ],
)
def test_the_review_page_tells_how_sure_the_model_is(
    browser: Browser,
    own_server: StartServer,
    tiny_bundle: Path,
    tiny_data: Path,
    tmp_path: Path,
    verdict: Verdict,
    words: str,
) -> None:
    write_verdict_model(tiny_bundle, tmp_path / "model", verdict)
    server = start_with_operator(own_server, tmp_path, model=tmp_path / "model")
    send_reports(server, tiny_data / "aka_ribbon", 1)
    context = browser.new_context()
    page = context.new_page()
    log_in(page, server)
    expect(page.locator("#panel-source")).to_have_text(words)
    context.close()


def test_an_operator_logs_in_and_reviews_by_keyboard(
    browser: Browser, own_server: StartServer, tiny_data: Path, tmp_path: Path
) -> None:
    server = start_with_operator(own_server, tmp_path)
    send_reports(server, tiny_data / "aka_ribbon", 4)
    context = browser.new_context()
    page: Page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    log_in(page, server)
    count, saved, faces = (
        page.locator("#label-left"),
        page.locator("#label-saved"),
        tmp_path / "dataset" / "faces",
    )
    tiles = page.locator(".tile-face")
    expect(count).to_have_text("4 left")
    expect(page.locator("#panel-source")).to_contain_text("the visitor says Aka Ribbon")
    page.keyboard.press("a")
    expect(saved).to_have_text("All saved")
    expect(tiles.nth(0)).to_have_attribute("data-mark", "saved")
    expect(tiles.nth(0).locator(".tile-name")).to_have_text("Aka Ribbon")
    expect(count).to_have_text("3 left")
    assert len(list(faces.rglob("*.png"))) == 1
    page.keyboard.press("z")
    expect(count).to_have_text("4 left")
    expect(saved).to_have_text("All saved")
    assert not list(faces.rglob("*.png"))
    page.keyboard.press("c")
    page.keyboard.type("glass")
    expect(page.locator("#label-options li[aria-selected=true]")).to_contain_text("Ao Glasses")
    page.keyboard.press("Enter")
    expect(tiles.nth(0)).to_have_attribute("data-mark", "saved")
    expect(tiles.nth(0).locator(".tile-name")).to_have_text("Ao Glasses")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("x")
    expect(count).to_have_text("1 left")
    expect(saved).to_have_text("All saved")
    assert [path.parent.name for path in faces.rglob("*.png")] == ["ao_glasses"]
    # one page shows both kinds, and one undo takes back the last step of either
    ids = fill_inbox(tmp_path / "dataset", 2)
    page.goto(f"{server.url}/operator/review")
    expect(count).to_have_text("3 left")
    page.locator(f'.tile-face[data-face="{ids[0]}"]').click()
    page.keyboard.press("x")
    expect(count).to_have_text("2 left")
    page.locator('[data-kind="report"] .tile-face').click()
    page.keyboard.press("r")
    expect(count).to_have_text("1 left")
    expect(saved).to_have_text("All saved")
    page.reload()
    expect(count).to_have_text("1 left")
    page.keyboard.press("z")
    expect(page.locator('[data-kind="report"] .tile-face')).to_have_count(1)
    expect(count).to_have_text("2 left")
    page.keyboard.press("z")
    expect(count).to_have_text("3 left")
    expect(saved).to_have_text("All saved")
    page.keyboard.press("?")
    expect(page.locator("#keys-dialog")).to_be_visible()
    context.close()
    assert not problems
