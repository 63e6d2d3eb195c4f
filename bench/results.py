"""What was measured, on disk: one JSON file, into which each part is written as soon as it is done."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from kyara.storage.atomic import replace_file
from kyara.storage.paths import ROOT

RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"


def load_results(path: Path) -> dict[str, Any]:
    """Return what was measured before; an empty document where nothing was."""
    if not path.exists():
        return {"parts": {}}
    return json.loads(path.read_text(encoding="utf-8"))


def save_part(
    path: Path, name: str, data: dict[str, Any], took_s: float, *, quick: bool
) -> dict[str, Any]:
    """Write one part into the document, beside the others. What another machine measured is kept.

    Returns:
        The whole document.
    """
    results = load_results(path)
    machine = describe_machine()
    here, elsewhere = name_machine(machine), results.setdefault("elsewhere", {})
    former = results["parts"].get(name)
    if former and (there := name_machine(former["machine"])) != here:
        elsewhere.setdefault(there, {})[name] = former
    elsewhere.get(here, {}).pop(name, None)
    results["parts"][name] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "took_s": round(took_s, 1),
        "quick": quick,
        "machine": machine,
        "data": data,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())
    return results


def describe_machine() -> dict[str, Any]:
    """Return what figures depend on: processor, cores, memory, load, Python, commit."""
    return {
        "processor": _read_processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "commit": _read_commit(),
    }


def group_by_machine(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what each machine measured last: its name → part → what was measured."""
    machines: dict[str, dict[str, Any]] = {}
    for parts in (results["parts"], *results.get("elsewhere", {}).values()):
        for name, part in parts.items():
            machines.setdefault(name_machine(part["machine"]), {})[name] = part
    return machines


def name_machine(machine: dict[str, Any]) -> str:
    """Return what a machine is called beside others.

    Args:
        machine: as `describe_machine` returns it.
    """
    return f"{machine['processor']}, {machine['cores']} cores"


def _read_processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _read_commit() -> str:
    """Return the short commit; empty where there is no repository."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
