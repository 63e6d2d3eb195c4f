"""`bench/results.json` → `docs/benchmarks.md` and its two plots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import network, serving
from bench.parts import PARTS
from bench.results import group_by_machine

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
        *describe_aims(results),
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


@dataclass(frozen=True)
class Aim:
    """Something to be reached, and what was."""

    what: str
    wanted: str
    measured: str
    reached: bool


def list_aims(parts: dict[str, Any]) -> list[Aim]:
    """Return the aims of the parts that were measured."""
    aims: list[Aim] = []
    if "network" in parts:
        threads, ways = list(parts["network"]["data"]["ms_a_crop"].items())[-1]
        for rival, times in ((network.SEED_ITSELF, 200), (network.SEED, 200), (network.KERAS, 10)):
            if rival not in ways:
                continue
            rival_ms, ms = ways[rival]["1"], ways[network.OURS]["1"]
            what = f"one crop against {rival}, {threads} threads"
            measured = f"{rival_ms / ms:,.0f} times: {ms} ms, {rival_ms:,} ms"
            aims.append(Aim(what, f"{times} times", measured, rival_ms / ms >= times))
    if "http" in parts:
        data = parts["http"]["data"]
        one, eight = serving.find_row(data, 1, 5), serving.find_row(data, 8, 5)
        if one and one["p95_ms"]:
            limit, value = serving.TARGETS["p95_ms"], one["p95_ms"]
            aims.append(
                Aim("p95, five crops, one client", f"≤ {limit} ms", f"{value} ms", value <= limit)
            )
        if eight:
            limit, value = serving.TARGETS["crops_a_second"], eight["crops_a_second"]
            aims.append(Aim("crops a second, eight clients", f"≥ {limit}", f"{value}", value >= limit))
    return aims


def describe_aims(results: dict[str, Any]) -> list[str]:
    """Say what was to be reached, and what was on each machine."""
    machines = group_by_machine(results)
    measured = {name: aims for name, parts in machines.items() if (aims := list_aims(parts))}
    if not measured:
        return []
    lines = [f"| aim | wanted | {' | '.join(measured)} |", "|---" * (2 + len(measured)) + "|"]
    for what, wanted in {aim.what: aim.wanted for aims in measured.values() for aim in aims}.items():
        cells = [
            " ".join(_tell_aim(aim) for aim in aims if aim.what == what) for aims in measured.values()
        ]
        lines.append(f"| {what} | {wanted} | {' | '.join(cells)} |")
    lines.append("")
    for name, aims in measured.items():
        if "network" in machines[name] and not all(aim.reached for aim in aims):
            lines += [_explain(name, machines[name]["network"]["data"]), ""]
    return lines


def _tell_aim(aim: Aim) -> str:
    return f"{aim.measured} {'✓' if aim.reached else '✗'}"


def _explain(machine: str, data: dict[str, Any]) -> str:
    """Say how much of a crop's time is the network: what no other code can save."""
    ways = list(data["ms_a_crop"].values())[-1]
    ours, alone, seed = (ways[name]["1"] for name in (network.OURS, network.INT8, network.SEED))
    return (
        f"{machine}: of the {ours} ms of one crop the network alone takes {alone} ms (*LiteRT int8*). "
        f"With nothing else it would be {seed / alone:,.0f} times as fast as the seed's way, which "
        f"takes {seed / 1000:,.1f} s there. [Where the time of a request goes]"
        "(#where-the-time-of-a-request-goes) is of the machine that this page is of."
    )


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
