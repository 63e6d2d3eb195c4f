"""Finding faces in the browser's worker at three sizes of a picture: the network, and the cascade."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image, ImageOps
from playwright.sync_api import Page

from bench.results import ROOT
from bench.timing import measure_ms
from kyara.vision.detectors.lbp_cascade import CascadeDetector
from kyara.vision.detectors.network import load_network
from kyara.vision.images import read_image
from scripts.measure_detector import URLS, open_chromium, open_finder, serve_static, write_network

SIZES = ((640, 360), (1280, 720), (1920, 1080))
RUNS = 7
EXAMPLE = ROOT / "static" / "vendor" / "example.png"
TIME = """async ({ name, level }) => {
  const blob = await (await fetch("/pictures/" + encodeURIComponent(name))).blob();
  const bitmap = await createImageBitmap(blob);
  let pause = 0;
  let last = performance.now();
  const start = last;
  const timer = setInterval(() => {
    pause = Math.max(pause, performance.now() - last);
    last = performance.now();
  }, 5);
  await globalThis.detector.detect(bitmap, level ?? undefined);
  clearInterval(timer);
  return { ms: performance.now() - start, pause };
}"""


def measure(quick: bool) -> dict[str, Any]:
    """Measure the network that serves and the cascade, in turn, on the example picture, scaled."""
    runs = 2 if quick else RUNS
    network, cascade = load_network(), CascadeDetector()
    with TemporaryDirectory() as folder, open_chromium() as browser:
        names = _draw_pictures(Path(folder))
        addresses = {"network": write_network(network.bundle, Path(folder)), "cascade": URLS}
        with serve_static(Path(folder)) as url:
            pages = {finder: open_finder(browser, url, urls) for finder, urls in addresses.items()}
            rows = []
            for name, (width, height) in names.items():
                row: dict[str, Any] = {"size": f"{width}×{height}"}
                for finder, seen in _time_in_turn(pages, name, runs).items():
                    row[f"{finder}_ms"] = round(statistics.median(one["ms"] for one in seen), 1)
                    row[f"{finder}_pause_ms"] = round(max(one["pause"] for one in seen), 1)
                pixels = read_image(Path(folder) / name)
                row["native_ms"] = round(measure_ms(lambda p=pixels: cascade.find(p), runs)[0], 1)
                row["litert_ms"] = round(measure_ms(lambda p=pixels: network.find(p), runs)[0], 1)
                rows.append(row)
    return {"rows": rows}


def _time_in_turn(pages: dict[str, Page], name: str, runs: int) -> dict[str, list[dict[str, float]]]:
    """Return what each finder took, the first search left out."""
    seen: dict[str, list[dict[str, float]]] = {finder: [] for finder in pages}
    for _ in range(runs + 1):
        for finder, page in pages.items():
            seen[finder].append(page.evaluate(TIME, {"name": name, "level": None}))
    return {finder: times[1:] for finder, times in seen.items()}


def _draw_pictures(folder: Path) -> dict[str, tuple[int, int]]:
    names = {}
    with Image.open(EXAMPLE) as image:
        for size in SIZES:
            name = f"{size[0]}.png"
            ImageOps.fit(image.convert("RGB"), size).save(folder / name)
            names[name] = size
    return names


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the measurements into a table."""
    return [
        "The example picture at three sizes, default level, median, the two in turn in one Chromium: "
        "the face network that serves and the cascade, both in OpenCV.js. The rivals are the same "
        "searches in Python (LiteRT; native OpenCV with SIMD and threads); the pause is the longest in "
        "which the page itself did not react.",
        "",
        "| picture | network ms | cascade ms | network / cascade | longest pause of the page ms "
        "| LiteRT ms | native cascade ms |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row['size']} | {row['network_ms']} | {row['cascade_ms']} | "
            f"{row['network_ms'] / row['cascade_ms']:.2f} | "
            f"{max(row['network_pause_ms'], row['cascade_pause_ms'])} | "
            f"{row['litert_ms']} | {row['native_ms']} |"
            for row in data["rows"]
        ),
    ]
