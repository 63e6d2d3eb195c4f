"""Finding faces in the browser's worker, at three sizes of a picture; the rival is OpenCV in Python."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from bench.results import ROOT
from bench.timing import measure_ms
from kyara.vision.detectors.lbp_cascade import CascadeDetector
from kyara.vision.images import read_image
from scripts.measure_detector import LOAD, URLS, open_chromium, serve_static

WIDTHS = (640, 1280, 1920)
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
    """Measure the worker and Python on the example picture, scaled."""
    runs = 2 if quick else RUNS
    with TemporaryDirectory() as folder, open_chromium() as browser:
        names = _draw_pictures(Path(folder))
        with serve_static(Path(folder)) as url:
            page = browser.new_page()
            page.goto(url)
            page.evaluate(LOAD, URLS)
            rows = []
            for name, (width, height) in names.items():
                seen = [page.evaluate(TIME, {"name": name, "level": None}) for _ in range(runs + 1)][1:]
                pixels = read_image(Path(folder) / name)
                rows.append(
                    {
                        "size": f"{width}×{height}",
                        "worker_ms": round(statistics.median(one["ms"] for one in seen), 1),
                        "longest_pause_ms": round(max(one["pause"] for one in seen), 1),
                        "python_ms": round(
                            measure_ms(lambda p=pixels: CascadeDetector().find(p), runs)[0], 1
                        ),
                    }
                )
    return {"rows": rows}


def _draw_pictures(folder: Path) -> dict[str, tuple[int, int]]:
    names = {}
    with Image.open(EXAMPLE) as image:
        for width in WIDTHS:
            size = (width, round(image.height * width / image.width))
            image.convert("RGB").resize(size).save(folder / f"{width}.png")
            names[f"{width}.png"] = size
    return names


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the measurements into a table."""
    return [
        "The example picture at three sizes, default level, median. The rival is the same search in "
        "native OpenCV (Python, SIMD, threads); the pause is the longest in which the page itself did "
        "not react.",
        "",
        "| picture | worker ms | longest pause of the page ms | native OpenCV ms | ratio |",
        "|---|---|---|---|---|",
        *(
            f"| {row['size']} | {row['worker_ms']} | {row['longest_pause_ms']} | {row['python_ms']} | "
            f"{row['worker_ms'] / row['python_ms']:.1f} |"
            for row in data["rows"]
        ),
    ]
