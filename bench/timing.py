"""Clocks and percentiles."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np


def measure_ms(call: Callable[[], object], repeats: int, *, warm_up: bool = True) -> tuple[float, float]:
    """Return the median time of a call and of the processor in it, in milliseconds.

    On a machine that is busy with something else the first is longer.
    """
    if warm_up:
        call()
    times, processor = [], []
    for _ in range(repeats):
        started, worked = time.perf_counter(), time.process_time()
        call()
        processor.append((time.process_time() - worked) * 1000)
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times), statistics.median(processor)


def summarise_ms(times_ms: Sequence[float]) -> dict[str, float | None]:
    """Return the percentiles that people ask for; None where nothing was timed."""
    if not times_ms:
        return {"p50_ms": None, "p95_ms": None, "p99_ms": None}
    shares = np.percentile(np.asarray(times_ms), [50, 95, 99])
    return {f"p{share}_ms": round(float(ms), 1) for share, ms in zip((50, 95, 99), shares, strict=True)}
