"""What a stranger's request may cost: bounded, known before it is paid, and paid by its sender."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from costly import LARGE_PICTURES, REFUSED_PICTURES, documents, noise_url
from drawings import LABELS
from hostile import as_url, encode

from scripts.local_site import Server

TOKEN = "an operator's token"
MAX_PEAK_BYTES = 600_000_000
DOCUMENTS = documents()
ROUTES = ("POST /api/identify", "POST /api/explain", "POST /api/reports", "POST /api/gallery")


@pytest.fixture(scope="module")
def server(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose peak of memory and whose log are looked at when everything has been sent."""
    folder = tmp_path_factory.mktemp("cost")
    settings = {
        "INSTANCE_FOLDER": folder / "instance",
        "DATASET_FOLDER": folder / "dataset",
        "TAUGHT_DATABASE": folder / "taught.db",
        "OPERATOR_TOKEN": TOKEN,
    }
    with Server(folder / "user_report", model=tiny_model_folder, **settings) as server:
        yield server
        assert read_peak(server) < MAX_PEAK_BYTES
        server.stop()
        assert not [line for line in server.log if "Traceback" in line or " 500 " in line]


def read_peak(server: Server) -> int:
    """Return the most bytes that the serving process ever had in memory."""
    (worker,) = psutil.Process(server.process.pid).children()
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


def send(server: Server, route: str, body: bytes) -> tuple[int, dict]:
    """Send JSON; return the status and what the answer says."""
    method, path = route.split()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def identify(server: Server, *crops: bytes) -> tuple[int, dict]:
    """Ask who is in crops."""
    return send(server, ROUTES[0], json.dumps({"crops": [as_url(crop) for crop in crops]}).encode())


@pytest.mark.parametrize("name", REFUSED_PICTURES)
def test_a_picture_of_too_many_parts_is_refused_with_a_sentence(server: Server, name):
    status, answer = identify(server, encode("PNG", (8, 8)), REFUSED_PICTURES[name]())
    assert (status, answer["crop"]) in ((413, 1), (415, 1), (422, 1)), answer
    assert len(answer["detail"]) < 200


@pytest.mark.parametrize("name", LARGE_PICTURES)
def test_the_largest_pictures_are_answered(server: Server, name):
    status, answer = identify(server, LARGE_PICTURES[name]())
    assert (status, len(answer.get("faces", ()))) == (200, 1), answer


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_of_too_many_values_is_refused_on_every_route(server: Server, name):
    for route in (*ROUTES, "DELETE /api/reports/0"):
        status, answer = send(server, route, DOCUMENTS[name])
        assert status in (400, 413, 422), (route, answer)
        assert len(answer["detail"]) < 700


def test_a_visitor_is_answered_while_others_send_the_worst(server: Server, tiny_data: Path):
    face = (tiny_data / LABELS[0] / "000.png").read_bytes()
    worst = json.dumps({"crops": [as_url(LARGE_PICTURES["WebP"]())] * 4}).encode()
    report = json.dumps({"crop": as_url(LARGE_PICTURES["PNG"]()), "label": "a"}).encode()
    heavy = json.dumps({"crops": ["data:image/png;base64," + "A" * 7_900_000]}).encode()
    done, statuses = threading.Event(), set()

    def attack(route: str, body: bytes) -> None:
        while not done.is_set():
            statuses.add(send(server, route, body)[0])

    attacks = [(ROUTES[0], worst)] * 3 + [(ROUTES[2], report)] * 2 + [(ROUTES[0], heavy)] * 4
    attackers = [threading.Thread(target=attack, args=each) for each in attacks]
    for attacker in attackers:
        attacker.start()
    try:
        answers = [identify(server, face) for _ in range(12)]
    finally:
        done.set()
        for attacker in attackers:
            attacker.join()
    assert [answer for answer in answers if answer[0] != 200] == []
    assert statuses <= {200, 201, 415, 503}


def test_what_a_stranger_stores_is_small_and_charged_to_them(server: Server):
    before = sum(path.stat().st_size for path in server.reports.glob("*.png"))
    for label in ("miku", "luka", "rin"):
        body = json.dumps({"crop": noise_url(1100, 7), "label": label}).encode()
        assert send(server, ROUTES[2], body)[0] == 201
    after = sum(path.stat().st_size for path in server.reports.glob("*.png"))
    assert after - before < 900_000
