"""Two real servers on one database, and what tests say to them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from operators import PASSWORD, read_token

from kyara.web.operator.accounts import AccountStore
from scripts.local_site import Server

SECRET_KEY = "3vXr8sQpLk2WnYbT6mZcJd9hUfGa5eRo7iNx"
OPERATOR_TOKEN = "an-operator-of-two-servers"
PATIENCE_S = 30


@dataclass
class Answer:
    """What a server said."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Browser:
    """A client that keeps cookies, which hold for all ports of a host."""

    opener: urllib.request.OpenerDirector = field(init=False)
    csrf: str = ""

    def __post_init__(self) -> None:
        keeper = urllib.request.HTTPCookieProcessor(CookieJar())
        self.opener = urllib.request.build_opener(keeper)

    def ask(self, server: Server, path: str, body: Any = None, **more: Any) -> Answer:
        headers = {"Accept": "application/json", "X-CSRFToken": self.csrf, **more.pop("headers", {})}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        return self._send(urllib.request.Request(server.url + path, data, headers, **more))

    def log_in(self, server: Server, name: str) -> None:
        page = {"Accept": "text/html"}
        form = self.ask(server, "/operator/login", headers=page)
        body = {"name": name, "password": PASSWORD, "csrf_token": read_token(form.text)}
        request = urllib.request.Request(f"{server.url}/operator/login", urlencode(body).encode(), page)
        answer = self._send(request)  # follows to the first page
        assert answer.status == 200, answer.text
        self.csrf = read_token(answer.text)

    def _send(self, request: urllib.request.Request) -> Answer:
        try:
            with self.opener.open(request, timeout=PATIENCE_S) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read().decode())


def start_servers(stack: ExitStack, folder: Path, model: Path, database_url: str) -> list[Server]:
    """Start two sites on one database and one report folder, with the operator `rin`."""
    accounts = AccountStore(folder / "instance", database_url)
    accounts.create("rin", PASSWORD)
    accounts.close()
    settings = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": SECRET_KEY,
        "OPERATOR_TOKEN": OPERATOR_TOKEN,
        "DATASET_FOLDER": folder / "dataset",
    }
    reports = folder / "user_report"
    return [
        stack.enter_context(
            Server(reports, model=model, INSTANCE_FOLDER=folder / f"instance-{number}", **settings)
        )
        for number in range(2)
    ]
