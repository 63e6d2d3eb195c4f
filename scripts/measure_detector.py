"""Measure the face finder on a folder of hand-boxed pictures, in Python and in Chromium.

The folder holds pictures and boxes.json: file name → [[x, y, width, height], …] of every face, in
pixels. When a face is found, `kyara.evaluation.detection` says. Printed is a JSON document; how many
boxes only one side found, to the pixel, is `differing_boxes`.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kyara.errors import BadInputError, KyaraError  # noqa: E402
from kyara.evaluation.detection import match_faces, measure_detection  # noqa: E402
from kyara.vision.boxes import Box, FoundFace  # noqa: E402
from kyara.vision.detector_bundle import DetectorBundle  # noqa: E402
from kyara.vision.detectors.lbp_cascade import CascadeDetector  # noqa: E402
from kyara.vision.detectors.network import NetworkDetector, load_network  # noqa: E402
from kyara.vision.images import read_image  # noqa: E402

FIGURES = ("pictures", "faces", "recall", "false_a_picture", "second_a_picture")
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; style-src 'self'"
)
"""The site's policy, or stricter: the worker has to do with it."""
NOT_NEEDED = (
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,"
    "HttpsFirstBalancedModeAutoEnable,LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,"
    "AvoidCorsURLLoaderRestartOnRedirect,OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,"
    "PreconnectToSearch,WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup"
)
"""Playwright's own list, which Chromium forgets over another one, and hidden pages of the address bar:
of the second that a new window takes a processor they are most."""
CHROMIUM_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    f"--disable-component-update --disable-sync --disable-features={NOT_NEEDED}"
).split()
URLS = {
    "worker": "/static/js/faces/detector-worker.js",
    "opencv": "/static/vendor/opencv-glue.js",
    "wasm": "/static/vendor/opencv.wasm",
    "cascade": "/static/vendor/lbpcascade_animeface.xml",
    "settings": "/static/detector.json",
    "network": "",
    "networkSettings": "",
    "networkEyes": "",
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


class StaticHandler(SimpleHTTPRequestHandler):
    """Serves an empty page, static/ and a folder of pictures under the site's policy."""

    def __init__(self, *arguments: Any, pictures: Path, **options: Any) -> None:
        self.pictures = pictures
        super().__init__(*arguments, directory=str(ROOT), **options)

    def translate_path(self, path: str) -> str:
        """Map addresses to files; everything but static/ and pictures/ does not exist."""
        file = Path(super().translate_path(path)).relative_to(ROOT)
        if file.parts[:1] == ("pictures",):
            return str(self.pictures.joinpath(*file.parts[1:]))
        return str(ROOT / file if file.parts[:1] == ("static",) else ROOT / "static" / "nothing-here")

    def do_GET(self) -> None:
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


def open_finder(browser: Browser, url: str, urls: dict[str, str]) -> Page:
    """Open the empty page and load the face finder in it."""
    page = browser.new_page()
    page.goto(url)
    page.evaluate(LOAD, urls)
    return page


def summarise(found: dict[str, list[Box]], truth: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Return recall and false boxes over all pictures."""
    looked = [
        match_faces(
            "", [Box(*map(round, box)) for box in boxes], [FoundFace(box, 1.0) for box in found[name]]
        )
        for name, boxes in truth.items()
    ]
    measured = measure_detection(looked, 0.0)
    return {name: measured[name] for name in FIGURES}


def count_differences(a: dict[str, list[Box]], b: dict[str, list[Box]]) -> int:
    """Count boxes, to the pixel, that only one side found; a moved box counts once."""
    return sum(max(len(set(a[name]) - set(b[name])), len(set(b[name]) - set(a[name]))) for name in a)


def read_truth(folder: Path) -> dict[str, list[list[float]]]:
    """Read boxes.json of a folder."""
    try:
        return json.loads((folder / "boxes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{folder} needs a boxes.json with the faces by hand: {error}") from error


def write_network(bundle: DetectorBundle, folder: Path) -> dict[str, str]:
    """Write a detector's bundle as the site serves it, and return the addresses to load it by."""
    (folder / "network.tflite").write_bytes(bundle.network)
    (folder / "settings.json").write_text(json.dumps(bundle.describe()), encoding="utf-8")
    if bundle.eyes is None:
        return NETWORK_URLS
    (folder / "eyes.tflite").write_bytes(bundle.eyes)
    return NETWORK_URLS | {"networkEyes": "/pictures/eyes.tflite"}


def measure(folder: Path, level: int | None, network: Path | None = None) -> dict[str, Any]:
    """Measure one folder at one level: the face network of a bundle, or the cascade."""
    truth = read_truth(folder)
    finder = CascadeDetector() if network is None else load_network(network)
    in_python = {
        name: [face.box for face in finder.find(read_image(folder / name), level=level)]
        for name in truth
    }
    with tempfile.TemporaryDirectory() as temporary, open_chromium() as browser:
        pictures, urls = Path(temporary), URLS
        if isinstance(finder, NetworkDetector):
            urls = write_network(finder.bundle, pictures)
        for name in truth:
            shutil.copyfile(folder / name, pictures / name)
        with serve_static(pictures) as url:
            page = open_finder(browser, url, urls)
            in_chromium = {name: detect_in_page(page, name, level) for name in truth}
    return {
        "level": level,
        "python": summarise(in_python, truth),
        "chromium": summarise(in_chromium, truth),
        "differing_boxes": count_differences(in_python, in_chromium),
    }


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
    arguments = parser.parse_args()
    try:
        result = measure(arguments.folder, arguments.level, arguments.network)
    except KyaraError as error:
        print(f"measure_detector: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
