"""`bench/results.json` → `docs/benchmarks.md` and its two plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import network, serving
from bench.parts import PARTS

WAYS_PLOT, LOAD_PLOT = "benchmarks/ways.svg", "benchmarks/load.svg"


def write_page(results: dict[str, Any], page: Path) -> None:
    """Write the page and its plots.

    Args:
        results: the document of `bench.results`.
        page: the Markdown file; plots go into `benchmarks/` beside it.
    """
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_page(results), encoding="utf-8")
    parts = results["parts"]
    plots = page.parent / "benchmarks"
    plots.mkdir(exist_ok=True)
    if "network" in parts:
        _plot_ways(parts["network"]["data"], page.parent / WAYS_PLOT)
    if "http" in parts:
        _plot_load(parts["http"]["data"], page.parent / LOAD_PLOT)


def render_page(results: dict[str, Any]) -> str:
    """Return the page's Markdown."""
    parts = results["parts"]
    lines = [
        "# How fast Kyara is",
        "",
        "Written by `make bench` from `bench/results.json`: change neither by hand. Every figure "
        "stands beside its rival from",
        "the same run. `python -m bench --only NAME` measures one part again, `--list` names them.",
        "",
        *_describe_machines(parts),
        *_describe_targets(parts),
    ]
    plots = {"network": ("Milliseconds a crop", WAYS_PLOT), "http": ("Crops a second", LOAD_PLOT)}
    for part in PARTS:
        if part.name not in parts:
            continue
        lines += [f"## {part.title}", ""]
        if part.name in plots:
            text, file = plots[part.name]
            lines += [f"![{text}]({file})", ""]
        lines += [*part.describe(parts[part.name]["data"]), ""]
    return "\n".join(lines).rstrip() + "\n"


def _describe_machines(parts: dict[str, Any]) -> list[str]:
    machines = {
        (one["processor"], one["cores"], one["memory_gb"], one["python"])
        for one in (part["machine"] for part in parts.values())
    }
    took = sum(part["took_s"] for part in parts.values()) / 60
    lines = [
        f"Machine: {processor}, {cores} cores, {memory:.0f} GB, Python {python}."
        for processor, cores, memory, python in sorted(machines)
    ]
    commits = ", ".join(sorted({part["machine"]["commit"] for part in parts.values()}))
    days = sorted(part["at"][:10] for part in parts.values())
    if days:
        lines.append(
            f"Measured {days[-1]} at commit {commits}; all parts together took {took:.1f} minutes."
        )
    loads = [part["machine"]["load"] for part in parts.values()]
    if loads:
        lines.append(
            f"Load average at the end of each part: {min(loads)} to {max(loads)}. Well above the number "
            "of cores means that other work was done beside, which makes figures worse."
        )
    if quick := [part.title for part in PARTS if part.name in parts and parts[part.name]["quick"]]:
        lines += ["", f"Measured with `--quick`, and rough: {', '.join(quick)}."]
    return [*lines, ""]


def _describe_targets(parts: dict[str, Any]) -> list[str]:
    """Say what was to be reached, and what was."""
    rows: list[tuple[str, str, str, bool]] = []
    if "network" in parts:
        table = parts["network"]["data"]["ms_a_crop"]
        threads, ways = list(table.items())[-1]
        for rival, times in ((network.SEED_ITSELF, 200), (network.SEED, 200), (network.KERAS, 10)):
            if rival not in ways:
                continue
            ratio = ways[rival]["1"] / ways[network.OURS]["1"]
            what = f"one crop against {rival}, {threads} threads"
            rows.append((what, f"{times} times", f"{ratio:,.0f} times", ratio >= times))
    if "http" in parts:
        data = parts["http"]["data"]
        one, eight = serving.find_row(data, 1, 5), serving.find_row(data, 8, 5)
        if one and one["p95_ms"]:
            limit = serving.TARGETS["p95_ms"]
            reached = one["p95_ms"] <= limit
            rows.append(("p95, five crops, one client", f"≤ {limit} ms", f"{one['p95_ms']} ms", reached))
        if eight:
            limit, value = serving.TARGETS["crops_a_second"], eight["crops_a_second"]
            rows.append(("crops a second, eight clients", f"≥ {limit}", f"{value}", value >= limit))
    if not rows:
        return []
    table_lines = [f"| {a} | {b} | {c} | {'yes' if ok else 'no'} |" for a, b, c, ok in rows]
    return ["| aim | wanted | measured | reached |", "|---|---|---|---|", *table_lines, ""]


def _plot_ways(data: dict[str, Any], path: Path) -> None:
    threads, table = list(data["ms_a_crop"].items())[-1]
    names = [name for name in network.ORDER if name in table]
    values = [table[name]["1"] for name in names]
    figure, axes = _open_plot(f"One crop, {threads} threads")
    bars = axes.barh(
        names, values, color=["#6b46d6" if name == network.OURS else "#b9b4c7" for name in names]
    )
    axes.bar_label(bars, [f"{value:,.1f}" for value in values], padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds a crop (logarithmic)")
    _save_plot(figure, path)


def _plot_load(data: dict[str, Any], path: Path) -> None:
    figure, axes = _open_plot("Identification over HTTP")
    for crops, colour in zip(serving.CROPS, ("#b9b4c7", "#6b46d6"), strict=True):
        rows = [row for row in data["rows"] if row["crops"] == crops]
        label = f"{crops} crop{'s' * (crops > 1)} a request"
        clients = [str(row["clients"]) for row in rows]
        axes.plot(
            clients, [row["crops_a_second"] for row in rows], marker="o", color=colour, label=label
        )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("clients")
    axes.set_ylabel("crops a second")
    axes.legend(frameon=False)
    _save_plot(figure, path)


def _open_plot(title: str) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "kyara"  # the same data, the same file
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save_plot(figure: Any, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None})
