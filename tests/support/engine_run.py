"""A run on Ray in a process of its own: `engine_run.py FOLDER` prints what came out, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from engine_tasks import NAMES, in_shards, make_task

from kyara.storage.parallel import End, Engine, Record, Work, open_pool, run_work


def describe(parts: list[Record | End]) -> list:
    """Return what JSON can hold."""
    return [
        [part.name, part.error] if isinstance(part, End) else [dict(part.entry), part.data.hex()]
        for part in parts
    ]


def main() -> None:
    """Do the work of the engine's tests; items wait for the file `gate` in the folder."""
    folder = Path(sys.argv[1])
    task = make_task(log=str(folder / "log"), gate=str(folder / "gate"))
    with Work.hold(folder / "work", task, in_shards(NAMES)) as work:
        with open_pool(Engine("ray"), task) as pool:
            done = [part for number in run_work(work, pool) for part in work.read_results(number)]
    print(json.dumps(describe(done)))


if __name__ == "__main__":
    main()
