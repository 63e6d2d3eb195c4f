"""docs/scale.md says what bench/results.json has."""

from __future__ import annotations

from typing import Any

from bench.results import RESULTS, load_results
from bench.scale import MARKS, PAGE, put_block, render_block, write_scale

MACHINE = {"cores": 2, "processor": "Abacus", "load": 0.5}


def make_row(clients: int, crops: int, requests: float) -> dict[str, Any]:
    row = {"clients": clients, "crops": crops, "form": "PNG", "kb_a_request": 50.0 * crops}
    return {**row, "requests_a_second": requests, "crops_a_second": requests * crops}


def make_results() -> dict[str, Any]:
    rows = [make_row(1, 1, 40.0), make_row(8, 1, 80.0), make_row(8, 5, 20.0)]
    gallery = {
        "references": 100_000,
        "dimension": 512,
        "one_face_processor_ms": 20.0,
        "memory_mb": 200.0,
    }
    parts = {
        "http": {"data": {"rows": rows}, "machine": MACHINE, "at": "2026-11-27T08:00:00+00:00"},
        "memory": {"data": {"end_mb": 250.0}},
        "gallery": {"data": {"rows": [gallery]}},
    }
    return {"parts": parts}


def test_render_block_is_worked_out_by_hand():
    block = render_block(make_results())
    assert "**40.0 requests, and at most 50.0 crops, a core and second**" in block
    assert "| cores | 25 |" in block
    assert "| servers | 13 |" in block
    assert "| memory | 3 GB |" in block
    assert "| network, in | 50 MB/s |" in block
    assert "20.0 GB in every server and 2.0 s of one core a face, 100 times the 20.0 ms" in block


def test_render_block_says_so_where_something_is_missing():
    results = make_results()
    del results["parts"]["memory"]
    assert render_block(results).startswith("Not measured here yet")


def test_write_scale_changes_the_measured_part_alone(tmp_path):
    page = tmp_path / "scale.md"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    write_scale(make_results(), page)
    text = page.read_text()
    assert text == put_block(text, render_block(make_results()))
    assert text.startswith(f"before\n{MARKS[0]}\nOne server on 2 cores")
    assert text.endswith(f"{MARKS[1]}\nafter\n")


def test_the_page_is_what_the_results_say():
    text = PAGE.read_text(encoding="utf-8")
    assert text == put_block(text, render_block(load_results(RESULTS))), "`make bench` writes it anew."
