"""Clocks and percentiles."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np


def measure_ms(call: Callable[[], object], repeats: int, *, warm_up: bool = True) -> float:
    """Return the median time of a call in milliseconds."""
    if warm_up:
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def summarise_ms(times_ms: Sequence[float]) -> dict[str, float | None]:
    """Return the percentiles that people ask for; None where nothing was timed."""
    if not times_ms:
        return {"p50_ms": None, "p95_ms": None, "p99_ms": None}
    shares = np.percentile(np.asarray(times_ms), [50, 95, 99])
    return {f"p{share}_ms": round(float(ms), 1) for share, ms in zip((50, 95, 99), shares, strict=True)}
