"""The measured part of docs/scale.md on large galleries, from what `bench.references` measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.scale import PAGE, put_block
from kyara.recognition.neighbour_index import INDEX_FROM, PROBED_SHARE
from kyara.storage.atomic import replace_file

MARKS = "<!-- measured: bench/references.py -->", "<!-- end of references -->"


def write_references(results: dict[str, Any], page: Path = PAGE) -> None:
    """Write the measured part of the page anew."""
    text = page.read_text(encoding="utf-8")
    replace_file(page, put_block(text, render_references(results), MARKS).encode())


def render_references(results: dict[str, Any]) -> str:
    """Return the measured part; one sentence where nothing is measured yet."""
    parts = sorted(results["parts"].values(), key=lambda part: part["data"]["references"])
    if not parts:
        return "Not measured here yet: `make bench-references` writes this part."
    rows = [part["data"] for part in parts]
    blocks = [_render_machine(parts), _render_sizes(rows), _render_settings(rows)]
    if rivals := next((row for row in rows if row["rivals"]), None):
        blocks.append(_render_rivals(rivals))
    return "\n\n".join(blocks)


def _render_machine(parts: list[dict[str, Any]]) -> str:
    machine, data = parts[-1]["machine"], parts[-1]["data"]
    day, cores = parts[-1]["at"][:10], machine["cores"]
    loads = ", ".join(f"{part['machine']['load']}" for part in parts)
    took = ", ".join(f"{part['took_s']:,.0f} s" for part in parts)
    timed = f"{parts[-1]['data']['exact_timed_on']:,}"
    return (
        f"{data['dimension']} numbers an embedding, as {data['model']} makes them; {data['questions']} "
        f"questions. {machine['processor']}, {cores} cores, {day}. Other work ran beside it (load at "
        f"the end of each size: {loads}), so times are of the processor, one thread (all build the "
        f"index), and ratios say more than times. Measuring the sizes took {took}. The exact "
        f"search of more than {timed} references was timed on so many; its time grows with their number."
    )


def _render_sizes(rows: list[dict[str, Any]]) -> str:
    """Exact beside approximate, with the setting that serves."""
    lines = [
        "| references | characters | exact, ms a question | exact, memory | index, ms a question | "
        "times faster | recall@1 | recall@10 | same five characters | index and references, memory | "
        "build | 20 references added | character removed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        one = next(setting for setting in row["settings"] if setting["share"] == PROBED_SHARE)
        memory = row["references_mb"] + row["index_mb"]
        lines.append(
            f"| {row['references']:,} | {row['characters']:,} | {row['exact_processor_ms']:,.1f} | "
            f"{row['exact_mb']:,} MB | {one['processor_ms']:.1f} | "
            f"{row['exact_processor_ms'] / one['processor_ms']:.0f} | {one['recall_at_1']:.3f} | "
            f"{one['recall_at_10']:.3f} | {one['same_five']:.3f} | {memory:,} MB | "
            f"{row['build_processor_s']:,.0f} s | {row['add_ms']:.0f} ms | {row['remove_ms']:.0f} ms |"
        )
    serves = (
        f"The index searches {PROBED_SHARE:.0%} of its lists. From {INDEX_FROM:,} references on it "
        "takes over (`KYARA_INDEX_FROM`):"
    )
    return f"{serves}\n\n" + "\n".join(lines)


def _render_settings(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| references | lists searched | recall@1 | recall@10 | same five characters | "
        "references compared | ms a question |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for one in row["settings"]:
            lines.append(
                f"| {row['references']:,} | {one['share']:.0%} of {row['lists']:,} | "
                f"{one['recall_at_1']:.3f} | {one['recall_at_10']:.3f} | {one['same_five']:.3f} | "
                f"{one['compared']:,} | {one['processor_ms']:.1f} |"
            )
    return "How much is searched:\n\n" + "\n".join(lines)


def _render_rivals(row: dict[str, Any]) -> str:
    """Indexes alone: what they find, before anything is compared exactly."""
    lines = [
        "| index | setting | recall@1 | recall@10 | ms a question | build | memory of the index |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in row["rivals"]:
        lines.append(
            f"| {one['name']} | {one['setting']} | {one['recall_at_1']:.3f} | "
            f"{one['recall_at_10']:.3f} | {one['processor_ms']:.2f} | "
            f"{one['build_processor_s']:,.0f} s | {one['mb']:,} MB |"
        )
    told = f"Indexes beside each other, alone, at {row['references']:,} references (200 proposed):"
    return f"{told}\n\n" + "\n".join(lines)
