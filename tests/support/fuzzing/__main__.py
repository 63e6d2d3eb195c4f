"""Run each target under atheris in turn: `make fuzz`, or `python -m fuzzing` in tests/support."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fuzzing.seeds import write_seeds
from fuzzing.targets import TARGETS

ROOT = Path(__file__).resolve().parents[3]
MAX_INPUT_BYTES = 250_000


def main() -> int:
    """Parse the options, fuzz, print and write what happened; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", default=[], help=f"of {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "fuzz", help="for inputs that fail")
    options = parser.parse_args()
    targets = options.targets or list(TARGETS)
    options.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for target in targets:
        results[target] = fuzz(target, options.seconds // len(targets), options.out)
        print(f"{target}: {json.dumps(results[target])}", flush=True)
    (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return int(any(result["findings"] for result in results.values()))


def fuzz(target: str, seconds: int, out: Path) -> dict[str, Any]:
    """Fuzz one target.

    Args:
        target: of `TARGETS`.
        seconds: for how long.
        out: where an input that fails is kept.

    Returns:
        `executions`, `seconds`, `coverage` (edges), `corpus` (inputs that found something new) and
        `findings` (files below `out`).
    """
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch) / "corpus"
        write_seeds(target, corpus)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "fuzzing.child", target, str(corpus)),
                *(f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", "-timeout=60"),
                *("-rss_limit_mb=4096", "-print_final_stats=1", f"-artifact_prefix={out}/{target}-"),
            ],
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'support'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        text = done.stdout.decode(errors="replace")
        kept = len(list(corpus.iterdir()))
    found = sorted(path.name for path in out.glob(f"{target}-*") if path.is_file())
    if done.returncode and not found:
        found = [text[-2000:]]
    executions = re.search(r"number_of_executed_units:\s*(\d+)", text)
    edges = re.findall(r"\bcov: (\d+)", text)
    if found:
        print(text[-4000:])
    return {
        "executions": int(executions[1]) if executions else 0,
        "seconds": seconds,
        "coverage": int(edges[-1]) if edges else 0,
        "corpus": kept,
        "findings": found,
    }


if __name__ == "__main__":
    sys.exit(main())
