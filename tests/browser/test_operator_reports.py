"""Logging in, and reviewing by keyboard, in a real Chromium."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

from command_line import ROOT
from hostile import as_url
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
    count, line, faces = (
        page.locator("#queue-count"),
        page.locator("#line"),
        tmp_path / "dataset" / "faces",
    )
    expect(count).to_have_text("4")
    page.keyboard.press("a")
    expect(line).to_contain_text("accepted as Aka Ribbon")
    expect(count).to_have_text("3")
    assert len(list(faces.rglob("*.png"))) == 1
    page.keyboard.press("z")
    expect(count).to_have_text("4")
    assert not list(faces.rglob("*.png"))
    page.keyboard.press("c")
    page.keyboard.type("glass")
    expect(page.locator("#name-options li[aria-selected=true]")).to_contain_text("Ao Glasses")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(line).to_contain_text("accepted as Ao Glasses")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("x")
    expect(line).to_contain_text("2 reports rejected")
    expect(count).to_have_text("1")
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_be_visible()
    context.close()
    assert not problems
