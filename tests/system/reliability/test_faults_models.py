"""Models: missing, broken, and a registry that cannot be read."""

from __future__ import annotations

import shutil
from pathlib import Path

from faulty_site import Record, StartSite, damage
from waiting import wait_until


def test_bundle_missing(
    start_site: StartSite,
    tiny_model_folder: Path,
    tmp_path: Path,
    drawn: str,
    crops: list[str],
    record: Record,
) -> None:
    site = start_site(model=tmp_path / "none")
    seen = site.identify(drawn)
    assert seen.status == 503
    assert site.ask("GET", "/livez").status == 200
    assert site.ask("GET", "/healthz").status == 503
    assert site.ask("GET", "/").status == 200
    assert site.report(crops[0], "visitor-0").status == 201
    shutil.copytree(tiny_model_folder, site.model)
    recovery_s = wait_until(lambda: site.identify(drawn).status == 200)
    assert set(site.ready().values()) == {"ok"}
    record(
        "missing bundle",
        broken="the model folder is empty at the start; later a model is put there",
        seen="503: No model serves. Pages and reports work.",
        recovery_s=recovery_s,
    )


def test_bundle_broken(
    start_site: StartSite, tiny_model_folder: Path, drawn: str, record: Record
) -> None:
    site = start_site()
    network = site.model / "tiny" / "backbone.tflite"
    damage(network)
    assert site.identify(drawn).status == 200  # the one in memory goes on
    site.restart()
    seen = site.identify(drawn)
    assert seen.status == 503
    assert "tiny" in seen.body["detail"]
    assert site.ready()["model"] == "failed"
    shutil.copy(tiny_model_folder / "tiny" / "backbone.tflite", network)
    recovery_s = wait_until(lambda: site.identify(drawn).status == 200)
    record(
        "broken bundle",
        broken="every byte of the network is overwritten, then the site starts anew; later it is mended",
        seen="a running site: nothing; after the start 503 with the file that is damaged",
        recovery_s=recovery_s,
    )


def test_registry_damaged(start_site: StartSite, drawn: str, record: Record) -> None:
    site = start_site()
    registry = site.model / "registry.json"
    content = registry.read_bytes()
    damage(registry)
    wait_until(lambda: any("registry.json" in line for line in site.server.log))
    assert site.identify(drawn).status == 200
    site.restart()
    seen = site.identify(drawn)
    assert seen.status == 503
    assert "No model serves" in seen.body["detail"]
    registry.write_bytes(content)
    recovery_s = wait_until(lambda: site.identify(drawn).status == 200)
    record(
        "damaged registry",
        broken="every byte of `registry.json` is overwritten, then the site starts anew; mended later",
        seen="a running site: nothing; after the start 503: No model serves",
        recovery_s=recovery_s,
    )
