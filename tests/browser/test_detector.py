"""The detector in a real Chromium: the same boxes as Python, progress, memory, refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from videos import EXAMPLE

from kyara.training.recipes.detector.looks import LOOKS
from kyara.vision.boxes import Box
from kyara.vision.detector_bundle import load_detector_bundle, write_detector_bundle
from kyara.vision.detectors.lbp_cascade import CascadeDetector
from kyara.vision.detectors.network import NetworkDetector
from kyara.vision.detectors.proposals import (
    SETTINGS_PATH,
    Candidate,
    choose_voted_boxes,
    load_settings,
    map_back,
    merge_candidates,
    plan_views,
    turning_matrix,
)
from kyara.vision.detectors.tiles import (
    FaceCandidate,
    cut_tiles,
    join_looks,
    plan_second_look,
    plan_tile_view,
)
from kyara.vision.images import read_image
from scripts.measure_detector import (
    LOAD,
    NETWORK_URLS,
    ROOT,
    URLS,
    detect_in_page,
    serve_static,
    write_network,
)

LEVELS = range(len(load_settings().levels))
RUNS = 20
ASK_WORKER = """async ({ urls, name, runs }) => {
  const worker = new Worker(urls.worker);
  const next = (type) => new Promise((resolve, reject) => {
    const hear = ({ data }) => {
      if (data.type === "progress") return;
      worker.removeEventListener("message", hear);
      data.type === type ? resolve(data) : reject(new Error(data.message));
    };
    worker.addEventListener("message", hear);
  });
  worker.postMessage({ type: "load", ...urls });
  await next("loaded");
  const blob = await (await fetch("/pictures/" + name)).blob();
  const heap = [];
  for (let id = 1; id <= runs; id += 1) {
    const bitmap = await createImageBitmap(blob);
    worker.postMessage({ type: "detect", id, bitmap, level: 0 }, [bitmap]);
    heap.push((await next("faces")).heapBytes);
  }
  worker.terminate();
  return heap;
}"""
RACE = """async () => {
  const blob = await (await fetch("/pictures/example.png")).blob();
  const bitmaps = await Promise.all([1, 2, 3].map(() => createImageBitmap(blob)));
  const asked = bitmaps.map((bitmap) => globalThis.detector.detect(bitmap));
  const answers = await Promise.allSettled(asked);
  return answers.map(({ value, reason }) =>
    value?.map(({ box }) => box) ?? `${reason.constructor.name} ${reason.name}`);
}"""
COUNT_TICKS = """async () => {
  const blob = await (await fetch("/pictures/example.png")).blob();
  const bitmap = await createImageBitmap(blob);
  let ticks = 0;
  const timer = setInterval(() => { ticks += 1; }, 1);
  await globalThis.detector.detect(bitmap);
  clearInterval(timer);
  return ticks;
}"""
GEOMETRY = """async ({ settings, level, sizes, candidates, windows }) => {
  const geometry = await import("/static/js/faces/detection.js");
  const views = sizes.flatMap(([width, height]) => geometry.planViews(width, height, settings, level));
  return {
    views: views.map((view) => Object.values(view)),
    matrices: views.map(geometry.turningMatrix),
    back: windows.map(([x, y, size], index) =>
      Object.values(geometry.mapBack({ x, y, size }, views[index % views.length], 1, 2))),
    merged: geometry.mergeCandidates(candidates, settings.merge),
    boxes: geometry.chooseFaces(candidates, 640, 480, settings, level).map(({ box }) => box),
  };
}"""


TILES = """async (sizes) => {
  const { cutTiles, planTileView } = await import("/static/js/faces/tiles.js");
  const tiles = sizes.map(([width, height]) => cutTiles(width, height, 1.9, 0.5));
  const views = tiles.flat().flatMap((tile) => [256, 640].map((side) => planTileView(tile, side, 2)));
  return { tiles, views: views.map((view) => Object.values(view)) };
}"""
SECOND_LOOKS = """async ({ candidates, seen, picture, look }) => {
  const { planSecondLook, joinLooks } = await import("/static/js/faces/tiles.js");
  return {
    views: candidates.map((one) => Object.values(planSecondLook(one, picture, look))),
    scores: candidates.map((one) => joinLooks(one, seen).score),
  };
}"""
ATTEMPT = """async (urls) => {
  const { Detector } = await import("/static/js/faces/detector.js");
  const { buildFunction } = await import("/static/js/faces/embind-without-eval.js");
  const bitmap = await createImageBitmap(new ImageData(9, 9));
  try {
    SCRIPT
    return "nothing was refused";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}"""
REFUSED = {
    "await detector.detect(bitmap, 5);": "RangeError: The level must be 0 to 4; received 5.",
    "await detector.detect(bitmap, 0.5);": "RangeError: The level must be 0 to 4; received 0.5.",
    "await detector.detect(bitmap, null);": "RangeError: The level must be 0 to 4; received null.",
    "await detector.detect('a file');": "TypeError: detect() takes an open ImageBitmap.",
    "bitmap.close(); await detector.detect(bitmap);": "TypeError: detect() takes an open ImageBitmap.",
    "await new Detector(urls).detect(bitmap);": (
        "Error: The face finder is not loaded: await load() first."
    ),
    "buildFunction(['a'], 'return a');": (
        "Error: OpenCV.js asks for code that is not known here: (a) return a"
    ),
}


def find_boxes(pixels: np.ndarray, level: int | None = None) -> list[Box]:
    return [face.box for face in CascadeDetector().find(pixels, level=level)]


def attempt(page: Page, script: str) -> str:
    """Run a script that should be refused; returns the error's name and sentence."""
    start, end = ATTEMPT.split("SCRIPT")
    return page.evaluate(f"{start}{script}{end}", URLS)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example at several sizes and turned about, and a few pictures that are odd."""
    folder = tmp_path_factory.mktemp("pictures")
    with Image.open(EXAMPLE) as image:
        example = image.convert("RGB")
    example.save(folder / "example.png")
    example.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "flipped.png")
    example.resize((300, 219)).save(folder / "small.png")
    example.resize((1999, 1459)).save(folder / "large.png")
    example.rotate(17, fillcolor="white").save(folder / "turned.png")
    example.convert("L").save(folder / "grey.png")
    example.crop((260, 200, 560, 440)).save(folder / "close-up.png")
    example.save(folder / "lossy.jpg", quality=80)
    transparent = example.convert("RGBA")
    transparent.paste((255, 0, 0, 0), (0, 0, example.width, 200))
    transparent.save(folder / "transparent.png")
    Image.new("RGB", (4000, 3000), "teal").save(folder / "blank.png")
    for name, size in {"dot.png": (1, 1), "wide.png": (4000, 3), "tall.png": (2, 3000)}.items():
        Image.new("RGB", size, "teal").save(folder / name)
    noise = np.random.default_rng(7).integers(0, 256, (375, 611, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    return folder


@pytest.fixture(scope="module")
def detector_url(pictures: Path) -> Iterator[str]:
    with serve_static(pictures) as url:
        yield url


@pytest.fixture(scope="module")
def shared_page(browser: Browser, detector_url: str) -> Iterator[tuple[Page, list[str]]]:
    """A page with a loaded detector, and what went wrong on it."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
    page.goto(detector_url)
    page.evaluate(LOAD, URLS)
    yield page, problems
    page.close()


@pytest.fixture
def detector_page(shared_page: tuple[Page, list[str]]) -> Iterator[Page]:
    """The page; whatever it writes to the console fails the test."""
    page, problems = shared_page
    yield page
    found, problems[:] = list(problems), []
    assert not found, "\n".join(found)


NAMES = "example flipped small large turned grey close-up transparent dot wide tall noise blank".split()


@pytest.mark.parametrize("name", [*(f"{name}.png" for name in NAMES), "lossy.jpg"])
def test_chromium_and_python_find_the_same_boxes(detector_page, pictures, name):
    assert detect_in_page(detector_page, name) == find_boxes(read_image(pictures / name))


@pytest.mark.parametrize("level", LEVELS)
def test_chromium_and_python_agree_at_every_level(detector_page, pictures, level):
    expected = find_boxes(read_image(pictures / "example.png"), level=level)
    assert len(expected) >= 3
    assert detect_in_page(detector_page, "example.png", level) == expected


def test_javascript_and_python_geometry_give_the_same_numbers(detector_page):
    random = np.random.default_rng(5)
    settings, data = load_settings(), json.loads(SETTINGS_PATH.read_text(encoding="utf-8"))
    level = settings.levels[settings.default_level]
    sizes = [(1280, 720), (1, 1), (37, 4000), (1388, 1013)]
    views = [view for width, height in sizes for view in plan_views(width, height, settings, level)]
    windows = random.integers(0, 500, (50, 3)).tolist()
    numbers = zip(random.uniform(-30, 500, (200, 3)), random.integers(1, 12, (200, 2)), strict=True)
    candidates = [Candidate(x, y, 9 + size / 4, int(a), int(b)) for (x, y, size), (a, b) in numbers]
    found = detector_page.evaluate(
        GEOMETRY,
        {
            "settings": data,
            "level": data["levels"][settings.default_level],
            "sizes": sizes,
            "windows": windows,
            "candidates": [asdict(candidate) for candidate in candidates],
        },
    )
    assert found["views"] == [list(asdict(view).values()) for view in views]
    assert found["matrices"] == [turning_matrix(view).ravel().tolist() for view in views]
    expected = [map_back((x, y, s), views[i % len(views)], 1, 2) for i, (x, y, s) in enumerate(windows)]
    assert found["back"] == [list(asdict(candidate).values()) for candidate in expected]
    assert found["merged"] == [asdict(candidate) for candidate in merge_candidates(candidates, settings)]
    boxes = choose_voted_boxes(candidates, 640, 480, settings, level)
    assert len(boxes) > 5
    assert found["boxes"] == [face.box.to_json() for face in boxes]


MAKE_NETWORK = """
import sys
from pathlib import Path
import keras
from kyara.training.convert import convert_keras
from kyara.training.recipes.detector.network import build_detector
keras.utils.set_random_seed(4)
model = build_detector()
for layer in model.layers:  # a network at the start says nearly the same everywhere
    if layer.name == "cells":
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * 6, bias])
inputs = keras.Input((256, 256, 3))
Path(sys.argv[1]).write_bytes(convert_keras(keras.Model(inputs, model(inputs)), quantise=False))
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a network with random weights: it finds something everywhere, always the same."""
    folder = tmp_path_factory.mktemp("network")
    file = folder / "network.tflite"
    subprocess.run([sys.executable, "-c", MAKE_NETWORK, file], check=True, cwd=ROOT)
    again = LOOKS["second_look"] | {"least": 0.001, "most": 0.9}
    settings = LOOKS | {"second_look": again}
    data: dict[str, Any] = {"settings": settings, "default_level": 1, "provenance": {}}
    draft = write_detector_bundle(folder, file.read_bytes(), data | {"thresholds": [0.9, 0.5]})
    found = NetworkDetector(draft).find_upright(read_image(EXAMPLE), 0.0005)
    scores = sorted((face.score for face in found), reverse=True)
    assert len(scores) > 12
    middles = [(scores[n] + scores[n + 1]) / 2 for n in (2, 5, 9)]
    write_detector_bundle(folder, file.read_bytes(), data | {"thresholds": middles})
    return folder


@pytest.fixture
def network_page(browser: Browser, pictures: Path, detector_url: str, network: Path) -> Iterator[Page]:
    write_network(load_detector_bundle(network), pictures)
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
    page.goto(detector_url)
    page.evaluate(LOAD, NETWORK_URLS)
    yield page
    page.close()
    assert not problems, "\n".join(problems)


def test_the_network_finds_the_same_boxes_in_chromium_and_in_python(network_page, pictures, network):
    assert network_page.evaluate("globalThis.detector.name") == "network"
    detector = NetworkDetector(load_detector_bundle(network))
    for name in NAMES:
        pixels = read_image(pictures / f"{name}.png")
        for level in range(3) if name == "example" else [2]:
            expected = {face.box for face in detector.find(pixels, level=level)}
            assert set(detect_in_page(network_page, f"{name}.png", level)) == expected, (name, level)
    assert len(detector.find(read_image(EXAMPLE), level=2)) == 10


def test_one_search_holds_the_faces_of_every_level(network_page):
    counts = network_page.evaluate("""async () => {
      const blob = await (await fetch("/pictures/example.png")).blob();
      const { detector } = globalThis;
      const found = await detector.detect(await createImageBitmap(blob), 0);
      return [0, 1, 2].map((level) => found.filter((face) => detector.isShown(face, level)).length);
    }""")
    assert counts == [3, 6, 10]


def test_tiles_are_the_same_in_javascript_and_in_python(detector_page):
    sizes = [(1280, 720), (1, 1), (800, 6000), (6000, 800), (37, 4000), (50, 40)]
    tiles = [cut_tiles(width, height, 1.9, 0.5) for width, height in sizes]
    views = [plan_tile_view(tile, side, 2.0) for group in tiles for tile in group for side in (256, 640)]
    found = detector_page.evaluate(TILES, sizes)
    assert found["tiles"] == [[asdict(tile) for tile in group] for group in tiles]
    assert found["views"] == [list(asdict(view).values()) for view in views]


def test_second_looks_are_the_same_in_javascript_and_in_python(detector_page):
    rng = np.random.default_rng(18)
    eyes = (0.0, 0.0, 0.0, 0.0)
    candidates, seen = (
        [
            FaceCandidate(x * 300, y * 300, width * 90 + 1, height * 90 + 1, score, eyes)
            for x, y, width, height, score in rng.random((40, 5)).tolist()
        ]
        for _ in range(2)
    )
    picture, look = {"width": 320, "height": 300}, {"face_px": 96, "side_px": 224}
    found = detector_page.evaluate(
        SECOND_LOOKS,
        {
            "candidates": [asdict(one) for one in candidates],
            "seen": [asdict(one) for one in seen],
            "picture": picture,
            "look": look,
        },
    )
    views = [plan_second_look(one, 320, 300, 96, 224) for one in candidates]
    assert found["views"] == [list(asdict(view).values()) for view in views]
    assert found["scores"] == pytest.approx([join_looks(one, seen).score for one in candidates])


def test_the_cascade_does_without_a_network_that_cannot_be_loaded(browser, detector_url, pictures):
    page = browser.new_page()
    page.goto(detector_url)
    page.evaluate(
        LOAD, URLS | {"network": "/pictures/not-here", "networkSettings": "/pictures/not-here"}
    )
    assert page.evaluate("globalThis.detector.name") == "cascade"
    assert detect_in_page(page, "example.png") == find_boxes(read_image(pictures / "example.png"))
    page.close()


def test_load_tells_how_far_it_is(detector_page):
    fractions = detector_page.evaluate("globalThis.fractions")
    assert len(fractions) >= 3
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < fractions[-1] == 1


def test_levels_are_those_of_the_settings(detector_page):
    found = detector_page.evaluate("[globalThis.detector.levels, globalThis.detector.defaultLevel]")
    assert found == [len(load_settings().levels), load_settings().default_level]


def test_many_searches_leave_the_heap_as_it_was(detector_page):
    """One grey copy is 12 MB: twenty that stayed would not fit the 128 MiB to begin with."""
    heap = detector_page.evaluate(ASK_WORKER, {"urls": URLS, "name": "blank.png", "runs": RUNS})
    assert len(heap) == RUNS
    assert heap[-1] == heap[0]


def test_a_newer_search_takes_the_place_of_an_older_one(detector_page, pictures):
    first, second, third = detector_page.evaluate(RACE)
    assert first == second == "DOMException AbortError"
    expected = find_boxes(read_image(pictures / "example.png"))
    assert third == [box.to_json() for box in expected]


def test_the_page_goes_on_while_the_worker_searches(detector_page):
    assert detector_page.evaluate(COUNT_TICKS) > 5


@pytest.mark.parametrize(("script", "message"), REFUSED.items())
def test_what_makes_no_sense_is_refused(detector_page, script, message):
    assert attempt(detector_page, script) == message
    assert len(detect_in_page(detector_page, "close-up.png")) == 1


def test_close_rejects_who_still_waits(detector_page):
    script = """
      const own = new Detector(urls);
      await own.load();
      const waiting = own.detect(await createImageBitmap(new ImageData(900, 900)));
      own.close();
      await waiting;"""
    assert attempt(detector_page, script) == "AbortError: The face finder was closed."


@pytest.mark.parametrize("missing", ["opencv", "wasm", "cascade", "settings", "worker"])
def test_load_can_be_tried_again_after_a_failure(browser, detector_url, missing):
    page = browser.new_page()
    page.goto(detector_url)
    script = """async ({ urls, missing }) => {
      const { Detector } = await import('/static/js/faces/detector.js');
      const own = new Detector({ ...urls, [missing]: '/static/not-here' });
      const failure = await own.load().then(() => 'it loaded', (error) => error.message);
      own.urls = urls;
      await own.load();
      const levels = own.levels;
      own.close();
      return [failure, levels];
    }"""
    failure, levels = page.evaluate(script, {"urls": URLS, "missing": missing})
    page.close()
    expected = f"{detector_url}/static/not-here answered 404."
    if missing == "worker":
        expected = "The face finder stopped."
    if missing == "opencv":
        assert "importScripts" in failure
        assert "/static/not-here" in failure
    else:
        assert failure == expected
    assert levels == len(load_settings().levels)
