"""Identification over HTTP: clients in a second process, the site as `make run` starts it."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.pictures import draw_crop
from bench.rivals import prepare_rivals
from bench.sites import ask, serve, serve_seeds_way
from classification import Classifier

CLIENTS = (1, 8, 64)
CROPS = (1, 5)
SECONDS = 12
RIVAL_REQUESTS = {1: 4, 5: 2}
TARGETS = {"p95_ms": 80, "crops_a_second": 120}
"""p95 of a five-crop request from one client, at most; crops a second from eight clients, at least."""


def measure(quick: bool) -> dict[str, Any]:
    """Measure every number of clients and crops; the rival with one client."""
    seconds = 1.5 if quick else SECONDS
    with serve() as server:
        ask(server.url, clients=2, crops=1, seconds=1)  # warms up
        rows = [
            ask(server.url, clients=clients, crops=crops, seconds=seconds)
            for crops in CROPS
            for clients in (CLIENTS[:2] if quick else CLIENTS)
        ]
        jpeg = ask(server.url, clients=8, crops=5, seconds=seconds, form="JPEG")
    return {"rows": rows, "jpeg": jpeg, "rival": [] if quick else _measure_rival()}


def _measure_rival() -> list[dict[str, Any]]:
    classifier = Classifier()
    crop = np.asarray(draw_crop(0))
    folder = prepare_rivals(classifier.bundle, classifier.backbone.fingerprint, crop)
    with serve_seeds_way(folder) as url:
        ask(url, requests=1, seconds=60)  # warms up
        return [
            ask(url, clients=1, crops=crops, requests=RIVAL_REQUESTS[crops], seconds=60)
            for crops in CROPS
        ]


def find_row(data: dict[str, Any], clients: int, crops: int) -> dict[str, Any] | None:
    """Return one row; None if it was not measured."""
    found = (row for row in data["rows"] if (row["clients"], row["crops"]) == (clients, crops))
    return next(found, None)


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the measurements into a table."""
    first = data["rows"][0]
    lines = [
        "Clients run in a second process on the same machine and the loopback; each asks again as "
        f"soon as it has its answer, with drawn faces of 256 px (PNG, {first['kb_a_request']:.0f} kB a "
        "crop as sent). A client that is told 503 waits as the page does, a second at most; times are "
        "those of answers.",
        "",
        "| site | clients | crops a request | requests/s | crops/s | p50 ms | p95 ms | p99 ms | 503 | "
        "failed |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_describe_row("Kyara", row) for row in data["rows"]),
        _describe_row("Kyara, JPEG", data["jpeg"]),
        *(_describe_row("the seed's way", row) for row in data["rival"]),
    ]
    for rival in data["rival"]:
        ours = find_row(data, 1, rival["crops"])
        if ours and ours["p50_ms"]:
            ratio = rival["p50_ms"] / ours["p50_ms"]
            lines += [
                "",
                f"One client, {rival['crops']} crops a request: {ratio:,.0f} times faster than the "
                "seed's way.",
            ]
    return lines


def _describe_row(site: str, row: dict[str, Any]) -> str:
    cells = (
        row["requests_a_second"],
        row["crops_a_second"],
        row["p50_ms"],
        row["p95_ms"],
        row["p99_ms"],
    )
    text = " | ".join("" if value is None else f"{value:,}" for value in cells)
    return (
        f"| {site} | {row['clients']} | {row['crops']} | {text} | {row['refused']} | {row['failed']} |"
    )
