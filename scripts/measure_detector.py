"""Measure the face finder on a folder of hand-boxed pictures, in Python and in Chromium.

The folder holds pictures and boxes.json: file name → [[x, y, width, height], …] of every face, in
pixels. A face is found when the middle of a proposal lies in the ellipse around the middle of its
box whose half axes are 0.35 of the box's width and height: the strictest of the usual readings of
"centre within 0.35 of the box". Every face and every proposal is matched once, the nearest pairs
first; a proposal without a face is false, a second one on the same face included.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kyara.errors import BadInputError, KyaraError  # noqa: E402
from kyara.vision.boxes import Box  # noqa: E402
from kyara.vision.detector_bundle import DetectorBundle  # noqa: E402
from kyara.vision.detectors.lbp_cascade import CascadeDetector  # noqa: E402
from kyara.vision.detectors.network import NetworkDetector, load_network  # noqa: E402
from kyara.vision.images import read_image  # noqa: E402

CENTRE_SHARE = 0.35
SCREENSHOT_PX = (1280, 720)
TIMING_RUNS = 7
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; style-src 'self'"
)
"""The site's policy, or stricter: the worker has to do with it."""
CHROMIUM_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
URLS = {
    "worker": "/static/js/faces/detector-worker.js",
    "opencv": "/static/vendor/opencv-glue.js",
    "wasm": "/static/vendor/opencv.wasm",
    "cascade": "/static/vendor/lbpcascade_animeface.xml",
    "settings": "/static/detector.json",
    "network": "",
    "networkSettings": "",
}
"""Without a network: the cascade."""
NETWORK_URLS = URLS | {
    "network": "/pictures/network.tflite",
    "networkSettings": "/pictures/settings.json",
}
LOAD = """async (urls) => {
  const { Detector } = await import("/static/js/faces/detector.js");
  globalThis.detector = new Detector(urls);
  globalThis.fractions = [];
  await globalThis.detector.load((fraction) => globalThis.fractions.push(fraction));
}"""
DETECT = """async ({ name, level }) => {
  const blob = await (await fetch("/pictures/" + encodeURIComponent(name))).blob();
  const { detector } = globalThis;
  const found = await detector.detect(await createImageBitmap(blob), level ?? undefined);
  const shown = found.filter((face) => detector.isShown(face, level ?? detector.defaultLevel));
  return shown.map(({ box }) => box);
}"""
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


class StaticHandler(SimpleHTTPRequestHandler):
    """Serves an empty page, static/ and a folder of pictures under the site's policy."""

    def __init__(self, *arguments: Any, pictures: Path, **options: Any) -> None:
        """Take the folder that /pictures/ shows."""
        self.pictures = pictures
        super().__init__(*arguments, directory=str(ROOT), **options)

    def translate_path(self, path: str) -> str:
        """Map addresses to files; everything but static/ and pictures/ does not exist."""
        file = Path(super().translate_path(path)).relative_to(ROOT)
        if file.parts[:1] == ("pictures",):
            return str(self.pictures.joinpath(*file.parts[1:]))
        return str(ROOT / file if file.parts[:1] == ("static",) else ROOT / "static" / "nothing-here")

    def do_GET(self) -> None:
        """Answer `/` with the empty page, the rest with files."""
        if self.path != "/":
            super().do_GET()
            return
        body = (
            b'<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Faces</title></html>'
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        """Add the policy to every answer, the worker's script included."""
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "max-age=60")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serve_static(pictures: Path) -> Iterator[str]:
    """Serve on a free port of this machine; yields the address."""
    handler = functools.partial(StaticHandler, pictures=pictures)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Start the machine's Chromium, headless."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise KyaraError("There is no Chromium on this machine: run scripts/install_chromium.sh.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def detect_in_page(page: Page, name: str, level: int | None = None) -> list[Box]:
    """Ask the page's detector about one picture of the served folder."""
    return [Box(**box) for box in page.evaluate(DETECT, {"name": name, "level": level})]


def match_faces(proposals: Sequence[Box], faces: Sequence[Sequence[float]]) -> int:
    """Count the faces that have a proposal of their own (see the top of this file)."""
    pairs = []
    for p, box in enumerate(proposals):
        for f, (x, y, width, height) in enumerate(faces):
            dx = (box.x + box.width / 2 - x - width / 2) / width
            dy = (box.y + box.height / 2 - y - height / 2) / height
            if math.hypot(dx, dy) <= CENTRE_SHARE:
                pairs.append((math.hypot(dx, dy), p, f))
    taken_proposals: set[int] = set()
    taken_faces: set[int] = set()
    for _, p, f in sorted(pairs):
        if p not in taken_proposals and f not in taken_faces:
            taken_proposals.add(p)
            taken_faces.add(f)
    return len(taken_faces)


def summarise(found: dict[str, list[Box]], truth: dict[str, list[list[float]]]) -> dict[str, float]:
    """Add up recall and false boxes over all pictures."""
    faces = sum(map(len, truth.values()))
    hits = sum(match_faces(found[name], boxes) for name, boxes in truth.items())
    false = sum(map(len, found.values())) - hits
    return {
        "pictures": len(truth),
        "faces": faces,
        "found": hits,
        "recall": round(hits / max(faces, 1), 4),
        "false_boxes": false,
        "false_boxes_per_picture": round(false / max(len(truth), 1), 4),
    }


def count_differences(a: dict[str, list[Box]], b: dict[str, list[Box]]) -> int:
    """Count boxes, to the pixel, that only one side found; a moved box counts once."""
    return sum(max(len(set(a[name]) - set(b[name])), len(set(b[name]) - set(a[name]))) for name in a)


def time_screenshot(page: Page, level: int | None) -> dict[str, float]:
    """Time the worker on a 1280×720 picture, and the page's longest pause meanwhile."""
    runs = [page.evaluate(TIME, {"name": "screenshot.png", "level": level}) for _ in range(TIMING_RUNS)]
    return {
        "median_ms": round(statistics.median(run["ms"] for run in runs), 1),
        "slowest_ms": round(max(run["ms"] for run in runs), 1),
        "longest_page_pause_ms": round(max(run["pause"] for run in runs), 1),
    }


def read_truth(folder: Path) -> dict[str, list[list[float]]]:
    """Read boxes.json of a folder."""
    try:
        return json.loads((folder / "boxes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{folder} needs a boxes.json with the faces by hand: {error}") from error


def draw_screenshot(folder: Path) -> None:
    """Fill 1280×720 pixels with the example picture."""
    with Image.open(ROOT / "static" / "vendor" / "example.png") as image:
        height = round(image.width * SCREENSHOT_PX[1] / SCREENSHOT_PX[0])
        cut = image.convert("RGB").crop((0, 0, image.width, height))
        cut.resize(SCREENSHOT_PX).save(folder / "screenshot.png")


def write_network(bundle: DetectorBundle, folder: Path) -> None:
    """Write a detector's bundle as the site serves it."""
    (folder / "network.tflite").write_bytes(bundle.network)
    (folder / "settings.json").write_text(json.dumps(bundle.describe()), encoding="utf-8")


def measure(folder: Path, level: int | None, network: Path | None = None) -> dict[str, Any]:
    """Measure one folder at one level: the face network of a bundle, or the cascade."""
    truth = read_truth(folder)
    finder = CascadeDetector() if network is None else load_network(network)
    in_python = {
        name: [face.box for face in finder.find(read_image(folder / name), level=level)]
        for name in truth
    }
    with tempfile.TemporaryDirectory() as temporary, open_chromium() as browser:
        pictures = Path(temporary)
        draw_screenshot(pictures)
        if isinstance(finder, NetworkDetector):
            write_network(finder.bundle, pictures)
        for name in truth:
            shutil.copyfile(folder / name, pictures / name)
        with serve_static(pictures) as url:
            page = browser.new_page()
            page.goto(url)
            page.evaluate(LOAD, URLS if network is None else NETWORK_URLS)
            in_chromium = {name: detect_in_page(page, name, level) for name in truth}
            timing = time_screenshot(page, level)
    return {
        "level": level,
        "python": summarise(in_python, truth),
        "chromium": summarise(in_chromium, truth),
        "differing_boxes": count_differences(in_python, in_chromium),
        "screenshot_1280x720": timing,
    }


def print_table(result: dict[str, Any]) -> None:
    """Print what `measure` found, for people."""
    print(f"{'':28}{'Python':>10}{'Chromium':>10}")
    for key, value in result["python"].items():
        print(f"{key.replace('_', ' '):28}{value:>10}{result['chromium'][key]:>10}")
    print(f"{'boxes that differ':28}{result['differing_boxes']:>10}")
    for key, value in result["screenshot_1280x720"].items():
        print(f"{'1280×720: ' + key.replace('_', ' '):38}{value:>10}")


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="pictures and boxes.json")
    parser.add_argument(
        "--level", type=int, help="0 (fewest faces) and up; without it, the default level"
    )
    parser.add_argument("--network", type=Path, help="a detector's bundle; by default the cascade")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    try:
        result = measure(arguments.folder, arguments.level, arguments.network)
    except KyaraError as error:
        print(f"measure_detector: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        print_table(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
