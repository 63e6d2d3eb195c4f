"""The benchmark: its page comes from its results, parts stand alone, counts are right."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bench import __main__ as command
from bench.network import INT8, OURS, SEED
from bench.page import describe_aims, render_page
from bench.parts import PARTS, Part
from bench.profile import count_stages
from bench.results import PAGE, RESULTS, group_by_machine, load_results, save_part
from bench.sites import ask, serve
from bench.timing import summarise_ms
from bench.wire import Wire


def run_bench(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run the command quickly into a folder: exit status, results, page."""
    results, page = folder / "results.json", folder / "docs" / "benchmarks.md"
    status = command.main(["--quick", "--results", str(results), "--page", str(page), *arguments])
    return status, load_results(results), page.read_text(encoding="utf-8")


def test_the_committed_page_was_written_from_the_committed_results() -> None:
    results = load_results(RESULTS)
    assert set(results["parts"]) == {part.name for part in PARTS}
    assert PAGE.read_text(encoding="utf-8") == render_page(results)
    for plot in re.findall(r"!\[[^]]+\]\(([^)]+)\)", render_page(results)):
        assert (PAGE.parent / plot).is_file()


def test_cheap_parts_run_and_the_page_holds_them(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KYARA_MODEL_FOLDER", str(tiny_model_folder))
    status, results, page = run_bench(tmp_path, "--only", "gallery", "http")
    assert status == 0
    assert set(results["parts"]) == {"gallery", "http"}
    rows = results["parts"]["http"]["data"]["rows"]
    assert {(row["clients"], row["crops"]) for row in rows} == {(1, 1), (8, 1), (1, 5), (8, 5)}
    assert all(row["served"] > 0 and row["failed"] == 0 for row in rows), rows
    assert page.index("## Identification over HTTP") < page.index("## Searching the gallery")
    assert "| crops a second, eight clients |" in page
    assert (tmp_path / "docs/benchmarks/load.svg").read_text().startswith("<?xml")
    tables = [block for block in page.split("\n\n") if block.startswith("|")]
    for table in tables:
        widths = {line.count("|") for line in table.splitlines()}
        assert len(widths) == 1, table


def test_a_part_that_fails_does_not_take_the_others_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Part("broken", "Broken", "bench.no_such_module")
    monkeypatch.setattr(command, "PARTS", (broken, PARTS[-1]))
    status, results, page = run_bench(tmp_path)
    assert status == 1
    assert list(results["parts"]) == ["gallery"]
    assert "## Searching the gallery" in page
    assert "Failed: broken" in capsys.readouterr().err
    before = results["parts"]["gallery"]
    _, results, _ = run_bench(tmp_path, "--missing")
    assert results["parts"]["gallery"] == before, "what has results is not measured again"


def test_the_same_results_give_the_same_page(tmp_path: Path) -> None:
    _, results, page = run_bench(tmp_path, "--only", "gallery")
    assert render_page(json.loads(json.dumps(results))) == page
    status, _, again = run_bench(tmp_path, "--render")
    assert (status, again) == (0, page)


def test_what_another_machine_measured_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    ways = {SEED: {"1": 900.0}, OURS: {"1": 9.0}, INT8: {"1": 6.0}}
    save_part(path, "network", {"ms_a_crop": {"2": ways}}, 1, quick=False)
    results = load_results(path)
    results["parts"]["network"]["machine"]["processor"] = "Abacus"
    path.write_text(json.dumps(results))
    ways[OURS]["1"] = 4.0
    save_part(path, "network", {"ms_a_crop": {"2": ways}}, 1, quick=False)
    results = save_part(path, "network", {"ms_a_crop": {"2": ways}}, 1, quick=False)
    ours, other = group_by_machine(results)
    assert other.startswith("Abacus")
    assert results["elsewhere"][other]["network"]["data"]["ms_a_crop"]["2"][OURS]["1"] == 9
    page = "\n".join(describe_aims(results))
    assert f"| wanted | {ours} | {other} |" in page
    assert "| 200 times | 225 times: 4.0 ms, 900.0 ms ✓ | 100 times: 9.0 ms, 900.0 ms ✗ |" in page
    assert f"{other}: of the 9.0 ms of one crop the network alone takes 6.0 ms" in page


def test_clients_tell_refusals_from_failures(tiny_model_folder: Path) -> None:
    with serve(MODEL_FOLDER=tiny_model_folder) as server:
        seen = ask(server.url, clients=2, crops=2, requests=5, seconds=60, form="JPEG")
        assert (seen["served"], seen["refused"], seen["failed"]) == (5, 0, 0)
        assert 0 < seen["p50_ms"] <= seen["p99_ms"]
        wrong = ask(f"{server.url}/nowhere", requests=2, seconds=60)
        assert (wrong["served"], wrong["failed"]) == (0, 2)
        assert wrong["failures"], "what went wrong is told"
    with serve(MODEL_FOLDER=tiny_model_folder, MAX_QUEUED=0) as server:
        busy = ask(server.url, clients=1, seconds=1.5)
        assert busy["served"] == busy["failed"] == 0
        assert busy["refused"] > 0


def test_percentiles_of_known_times() -> None:
    assert summarise_ms(range(101)) == {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0}
    assert summarise_ms([]) == {"p50_ms": None, "p95_ms": None, "p99_ms": None}


def test_samples_go_to_the_innermost_stage() -> None:
    request = "Thread.run (thread.py:1);Flask.wsgi_app (app.py:2);identify (web/api.py:3);"
    stacks = [
        f"{request}Backbone.extract_views (backbone.py:4);Interpreter.invoke (i.py:9) 60",
        f"{request}decode_crop (c.py:1);decode_image (i.py:4) 25",
        f"{request}decode_crop (c.py:1) 5",
        f"{request}Backbone._run_side_by_side (backbone.py:3);Condition.wait (threading.py:331) 150",
        "somewhere (else.py:1) 10",
        "Thread.run (thread.py:1);Condition.wait (threading.py:331) 900",
    ]
    assert count_stages(stacks) == {
        "samples": 100,
        "shares": {
            "network": 0.6,
            "decoding pictures": 0.25,
            "everything else": 0.1,
            "base64 of crops": 0.05,
        },
    }


def test_the_wire_counts_every_byte(tiny_model_folder: Path) -> None:
    with serve(MODEL_FOLDER=tiny_model_folder) as server, Wire(server.port) as wire:
        with urlopen(f"{wire.url}/healthz", timeout=60) as answer:
            body = answer.read()
        assert json.loads(body)["status"] == "ok"
        first = wire.received
        assert len(body) < first < len(body) + 3000
        wire.bytes_a_second = 1e6
        with urlopen(f"{wire.url}/static/vendor/lbpcascade_animeface.xml", timeout=60) as answer:
            size = len(answer.read())
        assert size > 200_000
        assert wire.received - first > size
