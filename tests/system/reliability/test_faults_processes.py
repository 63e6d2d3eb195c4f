"""Processes: a worker that is killed under load, a site that is stopped while it works."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time

from faulty_site import Record, Seen, Site, StartSite
from waiting import wait_until


class Sender(threading.Thread):
    """Sends one report after the other, and keeps which were answered 201."""

    def __init__(self, site: Site, crops: list[str], name: str) -> None:
        super().__init__(daemon=True)
        self.site, self.crops = site, crops
        self.stored: dict[str, str] = {}
        self.seen: list[int | str] = []
        self.over = threading.Event()
        self.label = name

    def run(self) -> None:
        number = 0
        while not self.over.is_set():
            token = f"{self.label}-{number}"
            try:
                answer = self.site.report(self.crops[number % len(self.crops)], token, label=token)
            except (OSError, http.client.HTTPException) as error:
                self.seen.append(type(error).__name__)
                self.over.wait(0.02)
                continue
            self.seen.append(answer.status)
            if answer.status == 201:
                self.stored[token] = answer.body["id"]
                number += 1


def test_worker_killed(start_site: StartSite, crops: list[str], drawn: str, record: Record) -> None:
    site = start_site()
    senders = [Sender(site, crops, f"sender-{n}") for n in range(4)]
    for sender in senders:
        sender.start()
    wait_until(lambda: sum(len(sender.stored) for sender in senders) >= 20)
    worker = site.worker
    worker.kill()
    recovery_s = wait_until(lambda: can_identify(site, drawn))
    enough = sum(len(sender.stored) for sender in senders) + 20
    wait_until(lambda: sum(len(sender.stored) for sender in senders) >= enough)
    for sender in senders:
        sender.over.set()
        sender.join()
    assert site.worker.pid != worker.pid
    for sender in senders:
        assert {status for status in sender.seen if isinstance(status, int)} == {201}
        for token, report in sender.stored.items():
            assert site.report(crops[0], token, label=token).body["id"] == report
    record(
        "killed worker",
        broken="SIGKILL of the serving process while four clients send reports",
        seen="a broken connection for what was not answered yet; the next wait for the new process",
        recovery_s=recovery_s,
    )


def can_identify(site: Site, crop: str) -> bool:
    try:
        return site.identify(crop).status == 200
    except (OSError, http.client.HTTPException):
        return False


def test_stop_under_load(start_site: StartSite, crops: list[str], record: Record) -> None:
    """SIGTERM: not ready at once, what was accepted is finished, and then the process ends."""
    site = start_site()
    kept = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60)
    ask(kept, "GET", "/readyz")
    answers: list[Seen] = []
    held = threading.Barrier(9)

    def send(number: int) -> None:
        body = {"crop": crops[number], "label": "aka_ribbon", "token": f"visitor-{number}"}
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60)
        connection.request(
            "POST", "/api/reports", json.dumps(body), {"Content-Type": "application/json"}
        )
        held.wait()
        answer = connection.getresponse()
        answers.append(Seen(answer.status, json.loads(answer.read()), {}))
        connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    held.wait()
    began = time.monotonic()
    site.server.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    kept.close()
    site.server.process.wait(30)
    took_s = time.monotonic() - began
    assert [answer.status for answer in answers] == [201] * 8
    assert len(list(site.reports.glob("*.png"))) == 8
    record(
        "stopped under load",
        broken="SIGTERM while eight reports have been sent and not answered",
        seen="201 for all eight, then the process ends",
        recovery_s=took_s,
    )


def ask(connection: http.client.HTTPConnection, method: str, path: str) -> tuple[int, dict]:
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_a_stopping_site_is_not_ready_and_answers_all_the_same(
    start_site: StartSite, drawn: str
) -> None:
    site = start_site(drain_s=12)
    kept = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60)
    assert ask(kept, "GET", "/readyz")[0] == 200
    site.server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: site.ask("GET", "/readyz").status == 503, timeout_s=2)
    assert site.ready()["process"] == "stopping"
    assert site.identify(drawn).status == 200
    assert ask(kept, "GET", "/livez") == (200, {"status": "ok"})
    kept.close()
    site.server.process.wait(30)
