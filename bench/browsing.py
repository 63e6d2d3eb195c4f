"""The page in a real Chromium: bytes over the wire, and how long until it can be used."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request

from bench.sites import serve
from bench.wire import Wire
from scripts.measure_detector import open_chromium

SITES = {"Kyara": "app:create_app()", "uncompressed": "bench.plain_site:create_plain_app()"}
PHONE = {"cpu": 4, "mbit": 9.0}
DESKTOP = {"cpu": 1, "mbit": 0.0}
CONDITIONS = {
    "this machine": DESKTOP,
    "processor 4 times slower, 9 Mbit/s": PHONE,
}
REPEATS = 3
TIMEOUT_MS = 120_000
TIMES = ("usable_s", "finder_s", "name_s")
KINDS = {"js": "scripts", "css": "styles", "wasm": "WebAssembly", "xml": "cascade", "": "HTML"}


def measure(quick: bool) -> dict[str, Any]:
    """Measure the page as it ships and the rival, on a cold and on a warm cache."""
    rows = []
    weights: dict[str, dict[str, int]] = {}
    with open_chromium() as browser:
        for site, application in SITES.items():
            with _serve(application) as wire:
                weights[site] = _weigh(browser, wire)
                for name, condition in list(CONDITIONS.items())[: 1 if quick else None]:
                    for _ in range(1 if quick else REPEATS):
                        for cache, seen in _visit_twice(browser, wire, condition).items():
                            rows.append({"site": site, "condition": name, "cache": cache, **seen})
    return {"weights": weights, "rows": _take_medians(rows)}


@contextmanager
def _serve(application: str) -> Iterator[Wire]:
    with serve(application=application) as server, Wire(server.port) as wire:
        yield wire


def _weigh(browser: Browser, wire: Wire) -> dict[str, int]:
    """Return the bytes of each kind of file on a cold cache, heads of answers included."""
    requests: list[Request] = []
    weights: Counter[str] = Counter()

    def count() -> None:
        for request in requests:
            path = urlsplit(request.url).path
            kind = KINDS.get(path.rpartition(".")[2] if "." in path else "", "other")
            sizes = request.sizes()
            weights[kind] += sizes["responseBodySize"] + sizes["responseHeadersSize"]

    context = browser.new_context()
    context.on("requestfinished", lambda request: requests.append(request))
    _visit(context, wire, DESKTOP, count)
    context.close()
    return dict(weights)


def _visit_twice(
    browser: Browser, wire: Wire, condition: dict[str, float]
) -> dict[str, dict[str, float]]:
    seen: dict[str, dict[str, float]] = {}
    for visit in (_visit, _ask_for_a_name):
        context = browser.new_context()
        for cache in ("cold", "warm"):
            seen.setdefault(cache, {}).update(visit(context, wire, condition))
        context.close()
    return seen


def _ask_for_a_name(
    context: BrowserContext, wire: Wire, condition: dict[str, float]
) -> dict[str, float]:
    """Open the page, try the example as soon as that can be clicked, and wait for its first name."""
    page, started = _open(context, wire, condition)
    page.locator("#welcome [data-example]").click()
    page.locator('.face-card[data-mark="known"] .answer-name').first.wait_for()
    named = time.perf_counter() - started
    page.close()
    return {"name_s": round(named, 3)}


def _open(context: BrowserContext, wire: Wire, condition: dict[str, float]) -> tuple[Page, float]:
    """Open the page and wait until it can be used; return it, and when the visit began."""
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    tools = context.new_cdp_session(page)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": condition["cpu"]})
    wire.bytes_a_second = condition["mbit"] * 1e6 / 8
    started = time.perf_counter()
    page.goto(wire.url)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page, started


def _visit(
    context: BrowserContext,
    wire: Wire,
    condition: dict[str, float],
    look: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Open the page, move the mouse as a visitor does, and wait until faces can be found."""
    before = wire.received
    page, started = _open(context, wire, condition)
    usable = time.perf_counter() - started
    page.mouse.move(200, 200)
    page.mouse.move(210, 210)
    page.wait_for_selector("html[data-finder]", state="attached")
    finder = time.perf_counter() - started
    look()  # while the page is still there
    page.close()
    return {
        "usable_s": round(usable, 3),
        "finder_s": round(finder, 3),
        "kb": round((wire.received - before) / 1000, 1),
    }


def _take_medians(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = ("site", "condition", "cache")
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [
        dict(zip(keys, group, strict=True))
        | {name: statistics.median(row[name] for row in found) for name in (*TIMES, "kb")}
        for group, found in groups.items()
    ]


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the measurements into tables."""
    weights = data["weights"]
    kinds = sorted(weights["Kyara"], key=lambda kind: -weights["Kyara"][kind])
    lines = [
        "Real Chromium, headless. *Usable*: every control works and a picture can be chosen. "
        "*Finder*: OpenCV.js is compiled in the worker and faces are found at once; it is fetched at "
        "the first movement of the mouse, touch or key. *Name*: the first name of the example picture, "
        "from the address with one click, in a visit of its own. The rival is the same page without "
        "versioned addresses and compressed copies. Chromium slows only the page's main thread down; "
        "the wire is a proxy without added latency.",
        "",
        "| bytes over the wire, cold cache | " + " | ".join(kinds) + " | together |",
        "|---|" + "---|" * (len(kinds) + 1),
    ]
    for site, kinds_of_site in weights.items():
        cells = " | ".join(f"{kinds_of_site.get(kind, 0) / 1000:,.1f} kB" for kind in kinds)
        lines.append(f"| {site} | {cells} | {sum(kinds_of_site.values()) / 1000:,.1f} kB |")
    lines += [
        "",
        "| condition | cache | site | usable s | finder s | name s | kB | finder: ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ours = {(row["condition"], row["cache"]): row for row in data["rows"] if row["site"] == "Kyara"}
    for row in sorted(data["rows"], key=lambda row: (row["condition"] != "this machine", row["cache"])):
        ratio = row["finder_s"] / ours[row["condition"], row["cache"]]["finder_s"]
        lines.append(
            f"| {row['condition']} | {row['cache']} | {row['site']} | {row['usable_s']:.2f} | "
            f"{row['finder_s']:.2f} | {row['name_s']:.2f} | {row['kb']:,.0f} | {ratio:.1f} |"
        )
    return lines
