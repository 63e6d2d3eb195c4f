"""Disks: full, and not writable."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

from faulty_site import Record, Site, StartSite, draw
from waiting import wait_until

from kyara.vision.images import encode_png, make_data_url

NO_OVERRIDE = "-dac_override,-dac_read_search"


def count_reports(site: Site) -> int:
    return len(list(site.reports.glob("*.png")))


def limit_files(site: Site, limit: int) -> None:
    """Let the site's process write no file beyond a size: the system stops it in the middle."""
    resource.prlimit(site.worker.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def test_disk_full(start_site: StartSite, crops: list[str], drawn: str, record: Record) -> None:
    site = start_site()
    assert site.report(crops[0], "visitor-before").status == 201
    large = make_data_url(encode_png(draw(99, 600)))
    limit_files(site, 400_000)
    seen = site.report(large, "visitor-large")
    assert seen.status == 507
    assert site.identify(drawn).status == 200
    assert count_reports(site) == 1
    limit_files(site, resource.RLIM_INFINITY)
    recovery_s = wait_until(lambda: site.report(large, "visitor-large").status == 201)
    assert count_reports(site) == 2
    record(
        "disk full",
        broken="the system refuses to write more (`RLIMIT_FSIZE` of the running process)",
        seen=shorten(seen.tell()),
        recovery_s=recovery_s,
    )


def shorten(sentence: str) -> str:
    """Leave out the number of bytes."""
    words = sentence.split()
    return " ".join("…" if word.replace(",", "").isdigit() else word for word in words)


def test_disk_read_only(start_site: StartSite, crops: list[str], drawn: str, record: Record) -> None:
    """Permissions do it; a root process loses the right to ignore them first."""
    launcher = ("setpriv", f"--bounding-set={NO_OVERRIDE}") if os.geteuid() == 0 else ()
    assert not launcher or shutil.which("setpriv")
    site = start_site(launcher=launcher)
    assert site.report(crops[0], "visitor-before").status == 201
    set_writable(site.reports, False)
    seen = site.report(crops[1], "visitor-after")
    assert seen.status == 503
    assert site.identify(drawn).status == 200
    assert site.ready()["report_files"] == "cannot be written"
    site.restart()
    again = site.report(crops[1], "visitor-after")
    assert again.status == 503
    assert site.identify(drawn).status == 200
    set_writable(site.reports, True)
    recovery_s = wait_until(lambda: site.report(crops[1], "visitor-after").status == 201)
    assert site.report(crops[0], "visitor-before").status == 201
    assert count_reports(site) == 2
    assert set(site.ready().values()) == {"ok"}
    record(
        "read-only disk",
        broken="the report folder and its files cannot be written, then the site starts anew",
        seen=f"{seen.tell()} After the start: {again.tell()}",
        recovery_s=recovery_s,
    )


def set_writable(folder: Path, writable: bool) -> None:
    for path in (*folder.iterdir(), folder):
        mode = 0o755 if path.is_dir() else 0o644
        path.chmod(mode if writable else mode & 0o555)
