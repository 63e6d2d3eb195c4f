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
from costly import LARGE_PICTURES, REFUSED_PICTURES, documents, noise_url, png, save
from drawings import LABELS
from hostile import FORM_TYPE, as_url, encode, write_form
from sites import serve_in

from scripts.local_site import Server

TOKEN = "an operator's token"
MAX_PEAK_BYTES = 600_000_000
DOCUMENTS = documents()
ROUTES = (
    "POST /api/identify",
    "POST /api/explain",
    "POST /api/reports",
    "POST /api/gallery",
    "POST /api/pictures",
)


@pytest.fixture(scope="module")
def server(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose peak of memory and whose log are looked at when everything has been sent."""
    with serve_in(tmp_path_factory.mktemp("cost"), tiny_model_folder, OPERATOR_TOKEN=TOKEN) as server:
        yield server
        assert read_peak(server) < MAX_PEAK_BYTES
        server.stop()
        assert not [line for line in server.log if "Traceback" in line or " 500 " in line]


def read_peak(server: Server) -> int:
    """Return the most bytes that the serving process ever had in memory."""
    (worker,) = psutil.Process(server.process.pid).children()
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


def send(server: Server, route: str, body: bytes, kind: str = "application/json") -> tuple[int, dict]:
    """Send a body; return the status and what the answer says."""
    method, path = route.split()
    headers = {"Content-Type": kind, "Authorization": f"Bearer {TOKEN}"}
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def identify(server: Server, *crops: bytes) -> tuple[int, dict]:
    """Ask who is in crops."""
    return send(server, ROUTES[0], json.dumps({"crops": [as_url(crop) for crop in crops]}).encode())


def look(server: Server, *pictures: bytes) -> tuple[int, dict]:
    """Ask who is in pictures, sent as a form."""
    body = write_form(*[("picture", "a.png", picture) for picture in pictures])
    return send(server, "POST /api/pictures", body, FORM_TYPE)


@pytest.mark.parametrize("name", REFUSED_PICTURES)
def test_a_picture_of_too_many_parts_is_refused_with_a_sentence(server: Server, name):
    picture = REFUSED_PICTURES[name]()
    status, answer = identify(server, picture)
    assert (status, answer["crop"]) in ((413, 0), (415, 0), (422, 0)), answer
    assert len(answer["detail"]) < 200
    status, beside = identify(server, encode("PNG", (8, 8)), picture)
    assert (status, beside["faces"][1]["error"]["detail"]) == (200, answer["detail"])


@pytest.mark.parametrize("name", LARGE_PICTURES)
def test_the_largest_pictures_are_answered(server: Server, name):
    status, answer = identify(server, LARGE_PICTURES[name]())
    assert (status, len(answer.get("faces", ()))) == (200, 1), answer


PHOTOGRAPH = (4032, 3024)
LOOKED_AT = {
    "PNG of filtered RGBA": lambda: png(PHOTOGRAPH, 8, 6, filtered=4),
    "PNG of 16-bit grey": lambda: png(PHOTOGRAPH, 16, 0),
    "progressive CMYK JPEG": lambda: save(PHOTOGRAPH, "JPEG", "CMYK", progressive=True),
    "WebP": lambda: save(PHOTOGRAPH, "WEBP", "RGBA", lossless=True, method=0),
    "PNG of 6 Mpx of 64 bits": lambda: png((2500, 2500), 16, 6, filtered=4),
    "PNG of 880 × 14,080": lambda: png((880, 14_080), 8, 6, filtered=4),
}
"""The largest pictures in which faces are found."""


@pytest.mark.parametrize("name", LOOKED_AT)
def test_faces_are_found_in_the_largest_pictures(server: Server, name):
    status, answer = look(server, LOOKED_AT[name](), encode("PNG", (300, 200)))
    assert status == 200, answer
    assert all(image["width"] > 0 for image in answer["images"]), answer


@pytest.mark.parametrize("name", [name for name in LARGE_PICTURES if "8 Mpx" not in name])
def test_a_larger_picture_is_refused_by_its_header(server: Server, name):
    status, answer = look(server, encode("PNG", (300, 200)), LARGE_PICTURES[name]())
    assert (status, answer["images"][1]["error"]["status"]) == (200, 413), answer


@pytest.mark.parametrize("name", REFUSED_PICTURES)
def test_a_picture_of_too_many_parts_is_not_looked_at(server: Server, name):
    status, answer = look(server, REFUSED_PICTURES[name]())
    assert status in (413, 415, 422), answer


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n--x\r\n\r\n" * 700_000,
        b"--x\r\n" * 1_300_000,
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"\r\n--" * 2_000_000 + b"\r\n--x--",
        b"--x\r\n" + b"a: b\r\n" * 1_300_000,
        b"--x\r\nContent-Disposition: form-data; name=" + b"a" * 8_000_000 + b"\r\n\r\nx\r\n--x--",
    ],
    ids=["parts", "boundaries", "half boundaries", "headers", "a long name"],
)
def test_a_form_of_too_many_parts_is_refused(server: Server, body):
    status, answer = send(server, "POST /api/pictures", body, FORM_TYPE)
    assert status in (400, 413), answer
    assert len(answer["detail"]) < 700


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
