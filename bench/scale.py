"""What one core answers a second, and what follows from it: the measured part of docs/scale.md.

`python -m bench.scale` writes it anew from bench/results.json, as `make bench` does; a test compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from bench.results import RESULTS, ROOT, load_results
from kyara.storage.atomic import replace_file

PAGE = ROOT / "docs" / "scale.md"
MARKS = "<!-- measured: bench/scale.py -->", "<!-- end of measured -->"
WANTED_REQUESTS_A_SECOND = 1000
WANTED_REFERENCES = 10_000_000
CORES_A_SERVER = 2
"""As the measurements were made; one process serves both."""


def write_scale(results: dict[str, Any], page: Path = PAGE) -> None:
    """Write the measured part of the page anew."""
    text = page.read_text(encoding="utf-8")
    replace_file(page, put_block(text, render_block(results)).encode())


def put_block(text: str, block: str, marks: tuple[str, str] = MARKS) -> str:
    """Return a page with another measured part, which stands between two marks."""
    first, last = map(re.escape, marks)
    # a function, so that no backslash of the block means anything
    whole = f"{marks[0]}\n{block}\n{marks[1]}"
    return re.sub(f"{first}.*?{last}", lambda _: whole, text, flags=re.DOTALL)


def render_block(results: dict[str, Any]) -> str:
    """Return the measured part; one sentence where something is not measured yet."""
    parts = results["parts"]
    if not {"http", "memory", "gallery"} <= set(parts):
        return "Not measured here yet: `make bench` writes this part."
    http = parts["http"]
    cores = http["machine"]["cores"]
    rows = http["data"]["rows"]
    single = [row for row in rows if row["crops"] == 1]
    best = max(single, key=lambda row: row["requests_a_second"])
    crops = max(row["crops_a_second"] for row in rows)
    megabytes = parts["memory"]["data"]["end_mb"]
    largest = max(parts["gallery"]["data"]["rows"], key=lambda row: row["references"])
    return "\n\n".join(
        [
            _render_core(http, best, crops / cores, megabytes),
            _render_requests(best, cores, megabytes),
            _render_references(largest),
        ]
    )


def _render_core(http: dict[str, Any], best: dict[str, Any], crops: float, megabytes: float) -> str:
    machine, day = http["machine"], http["at"][:10]
    each = best["requests_a_second"] / machine["cores"]
    return (
        f"One server on {machine['cores']} cores ({machine['processor']}; load {machine['load']} at the "
        f"end, {day}) answers at best {best['requests_a_second']:.1f} requests of one crop a second "
        f"over HTTP, with {best['clients']} clients on the same cores: **{each:.1f} requests, and at "
        f"most {crops:.1f} crops, a core and second**. It holds {megabytes:.0f} MB after some thousand "
        "requests."
    )


def _render_requests(best: dict[str, Any], cores: int, megabytes: float) -> str:
    wanted = WANTED_REQUESTS_A_SECOND
    needed = wanted / (best["requests_a_second"] / cores)
    servers = -(-needed // CORES_A_SERVER)
    inbound = wanted * best["kb_a_request"] / 1000
    rows = [
        ("cores", f"{needed:,.0f}", "requests times what one core answers"),
        ("servers", f"{servers:,.0f}", f"{CORES_A_SERVER} cores each, one process"),
        (
            "memory",
            f"{servers * megabytes / 1000:,.0f} GB",
            f"{megabytes:.0f} MB a server, any gallery besides",
        ),
        (
            "network, in",
            f"{inbound:,.0f} MB/s",
            f"{best['kb_a_request']:.0f} kB a request, {best['form']} in base64",
        ),
    ]
    table = "\n".join(f"| {name} | {value} | {why} |" for name, value, why in rows)
    return (
        f"{wanted:,} requests of one crop a second, without reserve (add half as much again):\n\n"
        f"| what | how much | from |\n|---|---|---|\n{table}"
    )


def _render_references(row: dict[str, Any]) -> str:
    times = WANTED_REFERENCES / row["references"]
    exact_s = row["one_face_processor_ms"] * times / 1000
    exact_gb = row["memory_mb"] * times / 1000
    one_ms, references = row["one_face_processor_ms"], row["references"]
    return (
        f"{WANTED_REFERENCES:,} references of {row['dimension']} features, searched exactly: "
        f"{exact_gb:.1f} GB in every server and {exact_s:.1f} s of one core a face, {times:,.0f} times "
        f"the {one_ms:.1f} ms at {references:,}. That is no site any more: an index is, see below."
    )


if __name__ == "__main__":
    write_scale(load_results(RESULTS))
    print(f"Written: {PAGE}", file=sys.stderr)
