"""The Client API of hydrus, over the loopback: what is sent, and what is said where it fails."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from export_library import read_library

from kyara.cli import main
from kyara.dataset.library.export.hydrus_api import HydrusClient
from kyara.errors import BadInputError, UnavailableError

KEY = "0123456789abcdef" * 4
SERVICE = "6c6f63616c2074616773"


class Hydrus(BaseHTTPRequestHandler):
    """Answers as hydrus' documentation of `/get_service` and `/add_tags/add_tags` has it."""

    added: list[dict[str, Any]]

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if self.headers["Hydrus-Client-API-Access-Key"] != KEY:
            return self.reply(403, {"error": "Did not find an entry for that access key!"})
        if asked.path != "/get_service" or parse_qs(asked.query) != {"service_name": ["my tags"]}:
            return self.reply(404, {"error": "Sorry, did not find a service with that name!"})
        self.reply(200, {"service": {"name": "my tags", "service_key": SERVICE, "type": 5}})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/add_tags/add_tags" and self.headers["Content-Type"] == "application/json"
        assert self.headers["Hydrus-Client-API-Access-Key"] == KEY
        self.added.append(json.loads(body))
        self.reply(200, None)

    def reply(self, status: int, document: Any) -> None:
        data = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hydrus() -> Iterator[str]:
    """The address of a hydrus."""
    Hydrus.added = []
    with HTTPServer(("127.0.0.1", 0), Hydrus) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def export(library: Path, url: str, *more: str, key: str = KEY) -> Any:
    file = library.with_name("key")
    file.write_text(f"{key}\n")
    place = ("--library", str(library), "--language", "ja")
    send = ("--client-api", url, "--access-key-file", str(file))
    return CliRunner().invoke(main, ["export", "hydrus", *place, *send, *more])


def test_tags_go_to_the_files_with_the_pictures_hashes(hydrus, library, pictures):
    asked = export(library, hydrus, "--dry-run")
    assert asked.exit_code == 0 and "tags of 3 pictures would be sent." in asked.stdout
    turned = pictures / "a" / "turned.jpg"
    assert f"send: {turned}: character:初音ミク, series:ボーカロイド\n" in asked.stdout
    told = json.loads(export(library, hydrus, "--dry-run", "--json").stdout)
    assert (told["sent"], len(told["tags"])) == (0, 3)
    assert Hydrus.added == []
    done = export(library, hydrus)
    assert done.exit_code == 0, done.output
    hashes = {picture.path.name: picture.sha256 for picture in read_library(library)}
    sent = {one["hashes"][0]: one["service_keys_to_tags"] for one in Hydrus.added}
    assert sent.keys() == {hashes[name] for name in ("both 初音.jpg", "turned.jpg", "formula.png")}
    assert sent[hashes["turned.jpg"]] == {SERVICE: ["character:初音ミク", "series:ボーカロイド"]}
    assert not list(library.parent.rglob("*.txt"))


def test_what_hydrus_refuses_is_told(hydrus, library):
    done = export(library, hydrus, key="f" * 64)
    assert done.exit_code == 1 and "hydrus refuses (403)" in done.stderr and "access key" in done.stderr
    done = export(library, hydrus, "--service", "others")
    assert done.exit_code == 1 and "did not find a service" in done.stderr
    assert Hydrus.added == []


def test_nobody_at_the_address_is_one_sentence(hydrus):
    with socket.socket() as bound:  # nobody listens, and nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        check_nobody(port)


def check_nobody(port: int) -> None:
    with pytest.raises(UnavailableError, match=r"no answer at .*Is the Client API switched on"):
        HydrusClient(f"http://127.0.0.1:{port}", KEY).find_service("my tags")


@pytest.mark.parametrize(
    ("url", "key", "sentence"),
    [
        ("file:///etc/passwd", KEY, "no address of a Client API"),
        ("http://127.0.0.1:1", "secret", "not 64 hexadecimal digits"),
    ],
)
def test_bad_addresses_and_keys_are_refused(url, key, sentence):
    with pytest.raises(BadInputError, match=sentence) as caught:
        HydrusClient(url, key)
    assert "secret" not in str(caught.value)


def test_an_address_needs_a_key(library):
    place = ("--library", str(library))
    done = CliRunner().invoke(main, ["export", "hydrus", *place, "--client-api", "http://127.0.0.1:1"])
    assert done.exit_code == 2


@pytest.mark.parametrize("more", [["--out", "x"], ["--root", "x"], ["--overwrite"]])
def test_options_of_files_are_refused_with_an_address(library, more):
    done = export(library, "http://127.0.0.1:1", *more)
    assert done.exit_code == 2 and "writes no files" in done.stderr


@pytest.mark.parametrize("more", [["--access-key-file", "x"], ["--service", "my tags"]])
def test_options_of_an_address_are_refused_without_one(library, more):
    place = ("--library", str(library))
    done = CliRunner().invoke(main, ["export", "hydrus", *place, *more])
    assert done.exit_code == 2 and "are for --client-api" in done.stderr
