"""Databases: locked, damaged, away for a while. The rest of the site goes on."""

from __future__ import annotations

import http.client
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from faulty_site import Record, Site, StartSite, damage
from services import PostgresServer
from sites import make_accounts
from waiting import wait_until


def list_reports(site: Site) -> dict[str, str]:
    """Return file → label of each report that the database has."""
    with closing(sqlite3.connect(site.reports / "reports.db")) as connection:
        return dict(connection.execute("SELECT file, label FROM reports"))


def test_database_locked(start_site: StartSite, crops: list[str], drawn: str, record: Record) -> None:
    site = start_site()
    assert site.report(crops[0], "visitor-before").status == 201
    with closing(sqlite3.connect(site.reports / "reports.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        seen = site.report(crops[1], "visitor-locked")
        assert site.identify(drawn).status == 200
        assert len(list(site.reports.glob("*.png"))) == 1
        other.execute("ROLLBACK")
    assert seen.status == 503
    recovery_s = wait_until(lambda: site.report(crops[1], "visitor-locked").status == 201)
    assert len(list_reports(site)) == 2
    record(
        "locked database",
        broken="another process holds the write lock of `reports.db`",
        seen=seen.tell(),
        recovery_s=recovery_s,
    )


def test_report_database_damaged(
    start_site: StartSite, crops: list[str], drawn: str, record: Record
) -> None:
    site = start_site()
    for number in range(5):
        assert site.report(crops[number], f"visitor-{number}", label=f"name {number}").status == 201
    before = list_reports(site)
    site.server.stop()  # what SQLite has in memory would hide it
    damage(site.reports / "reports.db")
    site.restart()
    assert site.identify(drawn).status == 200
    assert list_reports(site) == before
    assert [site.report(crops[n], f"visitor-{n}").status for n in range(6)] == [201] * 6
    assert len(list_reports(site)) == 6
    (aside,) = site.reports.glob("damaged-*/reports.db")
    assert aside.read_bytes()[:1] == b"\xa5"

    damage(site.reports / "reports.db")
    damage(site.reports / "reports.db-wal")
    assert site.report(crops[6], "visitor-6").status in (201, 503)  # SQLite may not have noticed yet
    site.worker.kill()
    recovery_s = wait_until(lambda: can_report(site, crops[6], "visitor-6"))
    assert [site.report(crops[n], f"visitor-{n}").status for n in range(7)] == [201] * 7
    assert len(list_reports(site)) == 7
    record(
        "damaged report database",
        broken="every byte of `reports.db` is overwritten before a start, and again, with its log, "
        "while the site runs; then the process is killed",
        seen="201 as before: the database is made anew from the files, which carry their reports",
        lost="no report; what operators decided about them is in the file that was set aside",
        recovery_s=recovery_s,
    )


def can_report(site: Site, crop: str, token: str) -> bool:
    try:
        return site.report(crop, token).status == 201
    except (OSError, http.client.HTTPException):  # the process is gone
        return False


def test_taught_database_damaged(
    start_site: StartSite, drawn: str, crops: list[str], record: Record
) -> None:
    site = start_site()
    taught = site.folder / "taught.db"
    assert site.teach(crops[0], "kuro_hat").status == 201
    copy = site.folder / "copy.db"
    with closing(sqlite3.connect(taught)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    site.server.stop()
    damage(taught)
    site.restart()
    assert site.identify(drawn).status == 200
    assert site.ask("GET", "/healthz").body["model"]["characters"] == 4
    seen = site.teach(crops[1], "shiro_hat")
    assert seen.status == 503
    put_back(copy, taught)
    recovery_s = wait_until(lambda: site.ask("GET", "/healthz").body["model"]["characters"] == 5)
    assert site.teach(crops[1], "shiro_hat").status == 201
    record(
        "damaged database of taught characters",
        broken="every byte of `taught.db` is overwritten; later a copy is put in its place",
        seen=f"the model's own characters are answered; who teaches: {shorten(seen.tell())}",
        lost="what was taught, until the copy is there",
        recovery_s=recovery_s,
    )


def shorten(sentence: str) -> str:
    """Leave out where the file is."""
    return " ".join(Path(word).name if word.startswith("/") else word for word in sentence.split())


def put_back(copy: Path, place: Path) -> None:
    for name in (f"{place.name}-wal", f"{place.name}-shm"):
        place.with_name(name).unlink(missing_ok=True)
    copy.replace(place)


def test_operator_database_damaged(
    start_site: StartSite, drawn: str, crops: list[str], record: Record
) -> None:
    site = start_site()
    make_accounts(site.folder, "rin")
    file = site.folder / "instance" / "operators.db"
    shutil.copy(file, site.folder / "copy.db")
    assert site.ask("GET", "/operator/login").status == 200
    site.server.stop()
    damage(file)
    site.restart()
    seen = site.ask("GET", "/operator/login", Accept="application/json")
    assert seen.status == 503
    assert site.identify(drawn).status == 200
    assert site.report(crops[0], "visitor-0").status == 201
    assert site.ready()["operators"] == "failed"
    put_back(site.folder / "copy.db", file)
    recovery_s = wait_until(lambda: site.ask("GET", "/operator/login").status == 200)
    record(
        "damaged database of operators",
        broken="every byte of `operators.db` is overwritten; later a copy is put in its place",
        seen=f"visitors nothing; operators: {seen.tell()}",
        recovery_s=recovery_s,
    )


def test_postgres_restarts(
    start_site: StartSite,
    postgres_server: PostgresServer,
    postgres_url: str,
    drawn: str,
    crops: list[str],
    record: Record,
) -> None:
    site = start_site(REPORT_DATABASE_URL=postgres_url)
    assert site.report(crops[0], "visitor-0").status == 201
    postgres_server.kill()
    seen = [site.report(crops[1], "visitor-1"), site.report(crops[1], "visitor-1")]
    assert {answer.status for answer in seen} == {503}
    assert site.identify(drawn).status == 200
    assert site.ready()["report_database"] == "failed"
    postgres_server.start()
    recovery_s = wait_until(lambda: site.report(crops[1], "visitor-1").status == 201)
    first, second = (site.report(crops[n], f"visitor-{n}").body["id"] for n in range(2))
    assert first != second
    assert {path.name[-36:-4] for path in site.reports.glob("*.png")} >= {first, second}
    record(
        "a database that restarts",
        broken="PostgreSQL is killed and started again",
        seen=seen[1].tell(),
        recovery_s=recovery_s,
    )
