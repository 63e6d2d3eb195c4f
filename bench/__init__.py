"""Benchmarks: every figure with its rival from the same run. `make bench` runs them all.

Each module named in `bench.parts` measures one part: `measure(quick)` gives plain data for
`results.json`, `describe(data)` turns them into a chapter of `docs/benchmarks.md`.
"""
