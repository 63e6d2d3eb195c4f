"""`make soak`: soak the site for the full time, and write what was measured into docs/reliability.md."""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.results import describe_machine
from scripts.local_site import ROOT
from scripts.soak import DEADLINE_S, MANY, SLOW, Soak, run_soak


def describe_soak(soak: Soak) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| | crops a second | crops a CPU second | p50, p95 | slowest | refused (503) | errors | memory "
        "| others' CPU |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    named = [(f"{count} client{'s' * (count > 1)}", outcome) for count, outcome in soak.few.items()]
    named += [(f"{MANY} clients", soak.many), (f"8 clients beside {SLOW} slow ones", soak.beside_slow)]
    for name, outcome in named:
        megabytes = f"{outcome.memory[0] / 1e6:.0f} → {outcome.memory[-1] / 1e6:.0f} MB"
        middle, high = outcome.percentile_ms(50), outcome.percentile_ms(95)
        lines.append(
            f"| {name}, {outcome.seconds:.0f} s | {outcome.rate:.1f} | {outcome.crops_per_cpu_s:.1f} "
            f"| {middle:.0f}, {high:.0f} ms "
            f"| {outcome.slowest_s:.2f} s | {outcome.refused} | {outcome.errors.total()} | {megabytes} "
            f"| {outcome.other_share:.0%} |"
        )
    best, per_cpu = soak.many.rate / soak.best, soak.many.crops_per_cpu_s / soak.best_per_cpu_s
    growth, machine = soak.many.find_growth(), describe_machine()
    lines.append("")
    lines.append(
        f"Sixty-four clients got {best:.0%} of the best of one to eight, {per_cpu:.0%} for the same CPU "
        f"time; memory grew by {growth:.1%} in the second half; the deadline is {DEADLINE_S} s. "
        f"Measured {date.today()} on {machine['cores']} cores of {machine['processor']}."
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Soak for the full time, print what was measured, and write it into docs/reliability.md."""
    with tempfile.TemporaryDirectory() as folder:
        soak = run_soak(Path(folder), few_s=6, many_s=120, slow_s=12)
    text = describe_soak(soak)
    page = ROOT / "docs" / "reliability.md"
    head, start, rest = page.read_text(encoding="utf-8").partition("<!-- soak -->\n")
    _, end, tail = rest.partition("<!-- /soak -->")
    page.write_text(head + start + text + end + tail, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
