"""What an operator does, and the site in front of them, in words that the tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from hostile import as_url
from operators import PASSWORD
from playwright.sync_api import Page

from kyara.web.operator.accounts import AccountStore
from scripts.local_site import Server

StartServer = Callable[..., Server]
OpenLibraryPage = Callable[..., Page]


def send_reports(server: Server, folder: Path, count: int) -> None:
    """Report pictures of a folder, as a visitor would who says that they are Aka Ribbon."""
    for path in sorted(folder.glob("*.png"))[:count]:
        body = json.dumps({"crop": as_url(path.read_bytes()), "label": "aka_ribbon"}).encode()
        headers = {"Content-Type": "application/json"}
        urlopen(Request(f"{server.url}/api/reports", body, headers)).close()


def start_with_operator(own_server: StartServer, folder: Path, **settings: Any) -> Server:
    """Start a server that knows the operator `rin`."""
    url = f"sqlite:///{folder / 'operators.db'}"
    accounts = AccountStore(folder, url)
    accounts.create("rin", PASSWORD)
    accounts.close()
    return own_server(OPERATOR_DATABASE_URL=url, **settings)


def log_in(page: Page, server: Server, to: str = "/operator/reports") -> None:
    """Log in as `rin`, on the way to a page."""
    page.goto(f"{server.url}/operator/login?next={to}")
    page.fill("#name", "rin")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#operator-name")
    page.wait_for_load_state()  # its scripts have run
