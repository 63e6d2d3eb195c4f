"""`python -m bench`: run every part, or some, and write the results and the page.

Each part is written as soon as it is done, so that a run that was stopped can go on with `--missing`.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

from bench.page import write_page
from bench.parts import PARTS
from bench.results import PAGE, RESULTS, ROOT, load_results, save_part
from bench.scale import write_scale

QUICK = ROOT / "build" / "bench"


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help=", ".join(names))
    parser.add_argument("--missing", action="store_true", help="leave out what has results already")
    parser.add_argument("--quick", action="store_true", help="few repeats, some rivals; not into docs/")
    parser.add_argument("--render", action="store_true", help="measure nothing, write the page again")
    parser.add_argument("--list", action="store_true", help="name the parts")
    parser.add_argument("--results", type=Path, help="the JSON file")
    parser.add_argument("--page", type=Path, help="the Markdown file")
    options = parser.parse_args(arguments)
    options.results = options.results or (QUICK / "results.json" if options.quick else RESULTS)
    options.page = options.page or (QUICK / "benchmarks.md" if options.quick else PAGE)
    return options


def run_parts(options: argparse.Namespace) -> list[str]:
    """Measure what was asked for; returns the names of the parts that failed."""
    failed = []
    have = load_results(options.results)["parts"] if options.missing else {}
    for part in PARTS:
        if part.name in have or (options.only and part.name not in options.only):
            continue
        print(f"{part.name} …", file=sys.stderr, flush=True)
        started = time.perf_counter()
        try:
            data = part.measure(options.quick)
        except Exception:  # one part that fails does not take the others with it
            traceback.print_exc()
            failed.append(part.name)
            continue
        took = time.perf_counter() - started
        save_part(options.results, part.name, data, took, quick=options.quick)
        print(f"{part.name}: {took:.0f} s", file=sys.stderr, flush=True)
    return failed


def main(arguments: list[str] | None = None) -> int:
    """Measure and write; the exit status is 1 if a part failed."""
    options = read_options(arguments)
    if options.list:
        print("\n".join(f"{part.name:10}{part.title}" for part in PARTS))
        return 0
    failed = [] if options.render else run_parts(options)
    write_page(load_results(options.results), options.page)
    if options.results == RESULTS:
        write_scale(load_results(RESULTS))
    print(f"Written: {options.results} and {options.page}", file=sys.stderr)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
