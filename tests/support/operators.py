"""Operators for tests: an account, and a client that is logged in and sends the CSRF token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from apiflask import APIFlask
from flask.testing import FlaskClient

PASSWORD = "nine lives of a cat"


def make_operator(app: APIFlask, name: str) -> None:
    """Make an account, as the command line does."""
    app.extensions["kyara_accounts"].create(name, PASSWORD)


def read_token(page: str) -> str:
    """Return the CSRF token of a page."""
    found = re.search(r'<meta name="csrf-token" content="([^"]+)">', page)
    assert found
    return found[1]


@dataclass
class OperatorClient:
    """A browser with a session; `post` and `delete` send JSON as the pages' scripts do."""

    client: FlaskClient
    token: str

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, headers={"Accept": "application/json"}, **options)

    def page(self, path: str) -> str:
        answer = self.client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(path, json=body, headers=self._headers())

    def delete(self, path: str, **body: Any) -> Any:
        return self.client.delete(path, json=body, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", "X-CSRFToken": self.token}


def send_login(client: FlaskClient, name: str, password: str = PASSWORD, **more: str) -> Any:
    """Fill in the form and send it."""
    form = client.get("/operator/login", headers={"Accept": "text/html"})
    body = {"name": name, "password": password, "csrf_token": read_token(form.text), **more}
    return client.post("/operator/login", data=body, headers={"Accept": "text/html"})


def log_in(app: APIFlask, name: str, password: str = PASSWORD) -> OperatorClient:
    """Return a client that is logged in."""
    client = app.test_client()
    answer = send_login(client, name, password)
    assert answer.status_code == 303, answer.text
    page = client.get("/operator/", headers={"Accept": "text/html"})
    return OperatorClient(client, read_token(page.text))
