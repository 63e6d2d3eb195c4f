"""Logging in, and reviewing by keyboard, in a real Chromium."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

from command_line import ROOT
from hostile import as_url
from inboxes import fill_inbox
from operators import PASSWORD
from playwright.sync_api import Browser, Page, expect

from scripts.local_site import Server


def send_reports(server: Server, folder: Path, count: int) -> None:
    for path in sorted(folder.glob("*.png"))[:count]:
        body = json.dumps({"crop": as_url(path.read_bytes()), "label": "aka_ribbon"}).encode()
        headers = {"Content-Type": "application/json"}
        urlopen(Request(f"{server.url}/api/reports", body, headers)).close()


def test_an_operator_logs_in_and_reviews_by_keyboard(
    browser: Browser, own_server, tiny_data: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'operators.db'}"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "kyara",
            "operator",
            "create",
            "rin",
            "--password-stdin",
            "--database",
            url,
        ],
        cwd=ROOT,
        input=f"{PASSWORD}\n",
        text=True,
        check=True,
    )
    server = own_server(
        INSTANCE_FOLDER=tmp_path, OPERATOR_DATABASE_URL=url, DATASET_FOLDER=tmp_path / "dataset"
    )
    send_reports(server, tiny_data / "aka_ribbon", 4)
    context = browser.new_context()
    page: Page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{server.url}/operator/login?next=/operator/reports")
    page.fill("#name", "rin")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
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
