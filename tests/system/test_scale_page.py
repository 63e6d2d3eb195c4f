"""docs/scale.md says what bench/results.json has."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import reference_page
from bench.reference_page import render_references, write_references
from bench.references import REFERENCES, draw, measure_exact, measure_index, search_exactly
from bench.results import RESULTS, load_results
from bench.scale import MARKS, PAGE, put_block, render_block, write_scale
from bench.synthetic import SyntheticFaces
from kyara.recognition.bundle import load_bundle
from kyara.recognition.gallery import scale_to_unit
from kyara.storage.paths import MODEL_FOLDER

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


def make_references(references: int) -> dict[str, Any]:
    settings = [
        {
            "share": share,
            "recall_at_1": 0.9,
            "recall_at_10": 0.8,
            "same_five": 0.7,
            "compared": 500,
            "ms": 9.0,
            "processor_ms": 4.0,
        }
        for share in (0.25, 1)
    ]
    rival = {"name": "graph", "setting": "64", "recall_at_1": 0.99, "recall_at_10": 0.98}
    data = {
        "model": "abacus",
        "dimension": 8,
        "questions": 10,
        "references": references,
        "characters": references // 2,
        "exact_timed_on": min(references, 2000),
        "exact_mb": 1500,
        "exact_ms": 100.0,
        "exact_processor_ms": 80.0,
        "build_s": 3.0,
        "build_processor_s": 5.0,
        "lists": 16,
        "references_mb": 750,
        "index_mb": 50,
        "add_ms": 2.0,
        "remove_ms": 3.0,
        "settings": settings,
        "rivals": [rival | {"processor_ms": 0.5, "build_processor_s": 7.0, "mb": 60}],
    }
    return {"data": data, "machine": MACHINE, "at": "2026-11-29T22:00:00+00:00", "took_s": 60.0}


def test_the_part_on_references_is_worked_out_by_hand():
    block = render_references({"parts": {"9000": make_references(9000), "100": make_references(100)}})
    assert (
        "| 9,000 | 4,500 | 80.0 | 1,500 MB | 4.0 | 20 | 0.900 | 0.800 | 0.700 | 800 MB | 5 s |" in block
    )
    assert block.index("| 100 | 50 |") < block.index("| 9,000 | 4,500 |")
    assert "| 100 | 25% of 16 | 0.900 | 0.800 | 0.700 | 500 | 4.0 |" in block
    assert "| graph | 64 | 0.990 | 0.980 | 0.50 | 7 s | 60 MB |" in block
    assert "of more than 2,000 references was timed on so many" in block
    assert render_references({"parts": {}}).startswith("Not measured here yet")


def test_write_references_changes_its_own_part_alone(tmp_path):
    first, last = reference_page.MARKS
    page = tmp_path / "scale.md"
    page.write_text(f"before\n{MARKS[0]}\nkept\n{MARKS[1]}\n{first}\nold\n{last}\nafter\n")
    write_references({"parts": {"9000": make_references(9000)}}, page)
    text = page.read_text()
    assert text.startswith(f"before\n{MARKS[0]}\nkept\n{MARKS[1]}\n{first}\n8 numbers an embedding")
    assert text.endswith(f"{last}\nafter\n")


def test_the_page_has_what_was_measured_of_references():
    text, results = PAGE.read_text(encoding="utf-8"), load_results(REFERENCES)
    assert text == put_block(text, render_references(results), reference_page.MARKS)
    sizes = {part["data"]["references"] for part in results["parts"].values()}
    assert any(1_000_000 <= size < 2_000_000 for size in sizes)
    assert max(sizes) >= 10_000_000


def test_a_small_size_is_measured_and_the_exact_search_is_the_oracle():
    bundle = load_bundle(MODEL_FOLDER / "people-8491")
    drawn = draw(SyntheticFaces(bundle.gallery_features, bundle.gallery_rows), 5000, 40)
    assert drawn.asked.shape == (40, 256)
    gallery, truth = drawn.as_gallery(), search_exactly(drawn.blocks, drawn.asked)
    everything = scale_to_unit(np.concatenate(drawn.blocks).astype(np.float32))
    expected = np.argsort(-(drawn.asked @ everything.T), axis=1)[:, :10]
    np.testing.assert_array_equal(truth[:, :10], expected)
    exact = gallery.compare(drawn.asked[:3])
    np.testing.assert_allclose(drawn.take_first(10_000).compare(drawn.asked[:3]), exact, atol=1e-6)
    row = measure_exact(drawn) | measure_index(gallery, drawn.asked, truth)
    assert row["references"] == row["exact_timed_on"] == len(everything)
    *_, whole = row["settings"]
    assert whole["share"] == 1
    assert min(whole["recall_at_1"], whole["recall_at_10"], whole["same_five"]) >= 0.95
    recalls = [one["recall_at_10"] for one in row["settings"]]
    assert recalls == sorted(recalls)
