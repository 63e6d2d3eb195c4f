"""Where the time of a request with five crops goes, by samples that py-spy takes of the running site."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from bench.sites import list_processes, read_clients, serve, start_clients

SECONDS = 12
CLIENTS = (1, 8)
BUSY_S = 0.3
STAGES = (
    ("network", ("invoke", "set_tensor", "get_tensor", "_run")),
    ("scaling crops for the network", ("_prepare_view",)),
    ("decoding pictures", ("decode_image",)),
    ("base64 of crops", ("decode_crop",)),
    ("head, gallery and calibration", ("answer",)),
    ("names and works for the answer", ("describe",)),
    ("reading and checking JSON", ("_require_json", "_load_input", "parse", "dejsonlize", "get_json")),
    ("writing JSON", ("_response", "dump", "jsonify")),
    ("log and numbers", ("end_request",)),
    ("handing views to the threads of the network", ("_run_side_by_side", "_worker")),
    ("other code of identify", ("identify",)),
    ("Flask", ("wsgi_app",)),
    ("waitress: reading and writing", ("_turn", "service", "handler_thread")),
)
"""Stage → names of functions; the innermost frame with one of them tells the stage of a sample."""
IDLE = frozenset({"select", "poll", "poll2", "wait", "accept", "wait_for_data"})
"""A thread that is in one of these has nothing to do."""


def measure(quick: bool) -> dict[str, Any]:
    """Sample the site under one and under eight clients."""
    seconds = 2 if quick else SECONDS
    with serve() as server:
        return {
            "runs": [
                _sample(server.url, list_processes(server.process)[-1].pid, n, seconds) for n in CLIENTS
            ]
        }


def _sample(url: str, pid: int, clients: int, seconds: int) -> dict[str, Any]:
    """Sample one process while clients ask."""
    asking = start_clients(url, clients=clients, crops=5, seconds=seconds + 4)
    _wait_until_busy(psutil.Process(pid), asking)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "stacks.txt"
        spy = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid)]
        spy += ["--duration", str(seconds), "--rate", "50", "--format", "raw", "--output", str(out)]
        done = subprocess.run(spy, capture_output=True, text=True, check=False)
        seen = read_clients(asking)
        if done.returncode:
            return {"clients": clients, "failed": done.stderr.strip().splitlines()[-1][:200]}
        stacks = out.read_text(encoding="utf-8").splitlines()
    return {"clients": clients, "crops_a_second": seen["crops_a_second"], **count_stages(stacks)}


def _wait_until_busy(process: psutil.Process, clients: subprocess.Popen[str]) -> None:
    """Wait until the clients have drawn their pictures and ask."""
    before = process.cpu_times().user
    while process.cpu_times().user - before < BUSY_S and clients.poll() is None:
        try:
            clients.wait(0.1)
        except subprocess.TimeoutExpired:
            continue


def count_stages(stacks: list[str]) -> dict[str, Any]:
    """Share the samples out over the stages.

    Args:
        stacks: lines `Outer.call (file:1);inner (file:2) 17`: frames and how many samples.

    Returns:
        `samples` of threads that work; `shares`: stage → share of them.
    """
    counts: Counter[str] = Counter()
    for line in stacks:
        frames, _, number = line.rpartition(" ")
        names = [frame.split(" (", 1)[0].rpartition(".")[2] for frame in frames.split(";")]
        if names[-1] not in IDLE:
            counts[_find_stage(names)] += int(number)
    total = sum(counts.values()) or 1
    shares = {stage: round(count / total, 4) for stage, count in counts.most_common()}
    return {"samples": total, "shares": shares}


def _find_stage(names: list[str]) -> str:
    stages = {function: stage for stage, functions in STAGES for function in functions}
    for name in reversed(names):
        if name in stages:
            return stages[name]
    return "everything else"


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the shares into a table."""
    lines = [
        "Requests with five crops. py-spy takes 50 samples a second of every thread of the site that "
        "works; a thread that waits for another is not counted, one that waits for Python's lock is.",
        "",
    ]
    runs = [run for run in data["runs"] if "shares" in run]
    for run in data["runs"]:
        if "failed" in run:
            lines += [f"{run['clients']} clients: py-spy could not look: {run['failed']}", ""]
    if not runs:
        return lines
    stages = sorted(
        {stage for run in runs for stage in run["shares"]},
        key=lambda stage: (-runs[0]["shares"].get(stage, 0), stage),
    )
    heads = " | ".join(
        f"{run['clients']} client{'s' * (run['clients'] > 1)} ({run['crops_a_second']} crops/s)"
        for run in runs
    )
    lines += [f"| stage | {heads} |", "|---|" + "---|" * len(runs)]
    for stage in stages:
        cells = " | ".join(f"{run['shares'].get(stage, 0):.1%}" for run in runs)
        lines.append(f"| {stage} | {cells} |")
    return lines
