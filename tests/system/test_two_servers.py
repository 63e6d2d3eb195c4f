"""Two servers on one PostgreSQL: reports, review, sessions and taught characters are the same."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from hostile import as_url
from services import PostgresServer
from sqlalchemy import create_engine, text
from strangers import NEW, STRANGERS
from two_servers import OPERATOR_TOKEN, Browser, start_servers
from waiting import wait_until

from app import create_app
from kyara.errors import BadInputError
from kyara.vision.images import encode_png
from scripts.local_site import Server

REPORTS = 200
CLIENTS = 10
TEACHER = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
CROPS = [as_url(encode_png(crop)) for crop in STRANGERS]


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    name = postgres_server.make_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def servers(database_url: str, folder: Path, tiny_model_folder: Path) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield start_servers(stack, folder, tiny_model_folder, database_url)


def make_report(number: int) -> dict[str, object]:
    pixels = np.random.default_rng(number).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    return {
        "crop": as_url(encode_png(pixels)),
        "label": "aka_ribbon",
        "token": f"visitor-{number:04}",
    }


def ask_database(url: str, statement: str) -> list[tuple]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return found


def test_reports_sent_to_both_in_turn_are_stored_once_each(servers, database_url: str, folder: Path):
    """Each report is sent to both servers, by clients that take turns: one stores it, one knows it."""

    def send(number: int) -> list[str]:
        report, ids = make_report(number % REPORTS), []
        for turn in range(2):
            answer = Browser().ask(servers[(number + turn) % 2], "/api/reports", report)
            assert answer.status in (200, 201), answer.text
            ids.append(answer.json["id"])
        return ids

    with ThreadPoolExecutor(CLIENTS) as pool:
        answered = list(pool.map(send, range(REPORTS)))
    assert all(first == second for first, second in answered)
    assert ask_database(database_url, "SELECT count(*), sum(count) FROM reports") == [(REPORTS, REPORTS)]
    names = {name for (name,) in ask_database(database_url, "SELECT file FROM reports")}
    assert {path.name for path in (folder / "user_report").glob("*.png")} == names
    (stored,) = ask_database(database_url, "SELECT bytes FROM storage")
    assert stored == (sum((folder / "user_report" / name).stat().st_size for name in names),)


def test_a_session_and_an_undo_hold_on_the_other_server(servers):
    one, other = servers
    browser = Browser()
    sent = Browser().ask(one, "/api/reports", make_report(1000)).json["id"]
    browser.log_in(one, "rin")
    body = {"reports": [{"id": sent, "revision": 0}], "action": "accept"}
    assert browser.ask(other, "/operator/reports/decide", body).status == 200
    stale = browser.ask(one, "/operator/reports/decide", {**body, "action": "reject"})
    assert (stale.status, stale.json["title"]) == (409, "Conflict")
    undone = browser.ask(one, "/operator/reports/undo", {})
    assert undone.json["reports"][0]["state"] == "pending"
    history = browser.ask(other, f"/operator/reports/{sent}/history").json["history"]
    assert [step["action"] for step in history] == ["accept", "undo"]
    assert browser.ask(other, "/operator/logout", {}).status in (200, 303, 204)
    assert browser.ask(one, "/operator/reports/queue").status == 401


def test_what_is_taught_at_one_is_answered_by_the_other_and_forgotten_by_both(servers):
    one, other = servers

    def knows(server: Server) -> bool:
        face = Browser().ask(server, "/api/identify", {"crops": CROPS[3:]}).json["faces"][0]
        return NEW in {answer["label"] for answer in face["answers"]}

    enrolment = {"label": NEW, "crops": CROPS[:2]}
    assert Browser().ask(one, "/api/gallery", enrolment, headers=TEACHER).status == 201
    assert knows(one)
    wait_until(lambda: knows(other), why="the other server does not know who was taught")
    forgotten = Browser().ask(other, f"/api/gallery/{NEW}", headers=TEACHER, method="DELETE")
    assert forgotten.status == 200
    assert not knows(other)
    wait_until(lambda: not knows(one), why="the first server still knows who was forgotten")


def test_a_database_that_goes_away_is_one_clear_503_and_comes_back(servers, postgres_server):
    def send(server: Server, number: int):
        return Browser().ask(server, "/api/reports", make_report(number))

    assert all(send(server, 2000).status in (200, 201) for server in servers)
    rin = Browser()
    rin.log_in(servers[0], "rin")
    postgres_server.kill()
    try:
        for server in servers:
            answer = send(server, 2001)
            assert answer.status == 503, answer.text
            assert answer.json["detail"].startswith("The database of reports cannot be reached.")
            assert int(answer.headers["Retry-After"]) > 0
            identified = Browser().ask(server, "/api/identify", {"crops": CROPS[:1]})
            assert identified.status == 200  # whoever was known goes on being answered
            queue = rin.ask(server, "/operator/reports/queue")
            assert queue.status == 503, queue.text
            assert queue.json["detail"].startswith("The database of operators cannot be reached.")
            page = rin.ask(server, "/operator/", headers={"Accept": "text/html"})
            assert (page.status, "try again in a moment" in page.text) == (503, True)
    finally:
        postgres_server.start()
    assert [rin.ask(server, "/operator/reports/queue").status for server in servers] == [200, 200]
    answers = [send(server, 2001) for server in servers]
    assert [answer.status for answer in answers] in ([201, 201], [201, 200])
    assert answers[0].json["id"] == answers[1].json["id"]
    postgres_server.restart()  # open connections are closed by it
    assert [send(server, 2002).status for server in servers] in ([201, 201], [201, 200])


def test_commands_use_the_same_database(servers, database_url: str, folder: Path, monkeypatch):
    monkeypatch.setenv("KYARA_DATABASE_URL", database_url)
    monkeypatch.setenv("KYARA_REPORT_FOLDER", str(folder / "user_report"))
    sent = Browser().ask(servers[0], "/api/reports", make_report(3000)).json["id"]
    assert sent in run_kyara("reports", "list", "--json", "--limit", "1000").stdout
    assert "rin" in run_kyara("operator", "list").stdout


def test_servers_that_share_operators_need_the_same_key(tmp_path: Path, postgres_url: str):
    settings = {"REPORT_FOLDER": str(tmp_path), "OPERATOR_DATABASE_URL": postgres_url}
    with pytest.raises(BadInputError, match="Set KYARA_SECRET_KEY, on all servers to the same value"):
        create_app({**settings, "MODEL_FOLDER": str(tmp_path)})
