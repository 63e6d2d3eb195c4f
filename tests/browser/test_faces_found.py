"""The detector that ships, where faces are hard to find: it finds all, and the same ones in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from scenes import draw_unsure
from videos import EXAMPLE

from kyara.evaluation.detection import match_faces
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detector_bundle import find_detector_bundle, load_detector_bundle
from kyara.vision.detectors.network import NetworkDetector
from kyara.vision.images import read_image
from scripts.measure_detector import LOAD, detect_in_page, serve_static, write_network

FACES = (Box(296, 218, 216, 210), Box(636, 250, 220, 205), Box(968, 226, 222, 208))
"""Of the example, tight, drawn by hand."""
SAME_PX = 2
SAME_LEAN_DEG = 1

Truth = dict[str, list[Box]]


def spread(box: Box, times: float) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a box so many times as large."""
    x, y = box.x + box.width / 2, box.y + box.height / 2
    across, down = box.width * times / 2, box.height * times / 2
    return round(x - across), round(y - down), round(x + across), round(y + down)


def turn(box: Box, size: tuple[int, int], quarters: int) -> Box:
    """Turn a box with its picture, counter-clockwise."""
    for _ in range(quarters):
        box = Box(box.y, size[0] - box.x - box.width, box.height, box.width)
        size = size[1], size[0]
    return box


def draw_pictures(folder: Path) -> Truth:
    """Draw them; returns where their faces are."""
    with Image.open(EXAMPLE) as image:
        example = image.convert("RGB")
    truth: Truth = {"example": list(FACES), "grey": list(FACES)}
    example.save(folder / "example.png")
    example.convert("L").save(folder / "grey.png")
    for quarters in (1, 2, 3):
        name = f"turned-{quarters}"
        example.rotate(90 * quarters, expand=True).save(folder / f"{name}.png")
        truth[name] = [turn(face, example.size, quarters) for face in FACES]
    example.rotate(-40, expand=True, fillcolor="white").save(folder / "leaning.png")
    draw_unsure().save(folder / "blurred.png")
    truth["blurred"] = [Box(FACES[1].x - 430, FACES[1].y - 120, FACES[1].width, FACES[1].height)]
    strip = Image.new("RGB", (800, 20_000), "white")
    truth["strip"] = []
    for number in range(10):
        face = FACES[number % 3]
        left, top, right, bottom = spread(face, 1.9)
        x, y = (50, 210, 370)[number % 3], 500 + 1960 * number
        strip.paste(example.crop((left, top, right, bottom)), (x, y))
        truth["strip"].append(Box(x + face.x - left, y + face.y - top, face.width, face.height))
    strip.save(folder / "strip.png", compress_level=1)
    group = Image.new("RGB", (1920, 1080), (236, 232, 240))
    truth["group"] = []
    for number in range(8):
        crop = example.crop(spread(FACES[number % 3], 1.15)).resize((120, 120), Image.Resampling.LANCZOS)
        x, y = 150 + 480 * (number % 4), 220 + 560 * (number // 4)
        group.paste(crop, (x, y))
        truth["group"].append(Box(x + 8, y + 8, 104, 104))
    group.save(folder / "group.png")
    return truth


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("hard")
    return folder, draw_pictures(folder)


@pytest.fixture(scope="module")
def shipped() -> NetworkDetector:
    return NetworkDetector(load_detector_bundle(find_detector_bundle()))


@pytest.fixture(scope="module")
def finder_page(browser: Browser, drawn: tuple[Path, Truth], shipped: NetworkDetector) -> Iterator[Page]:
    folder, _ = drawn
    urls = write_network(shipped.bundle, folder)
    with serve_static(folder) as url:
        page = browser.new_page()
        page.goto(url)
        page.evaluate(LOAD, urls)
        yield page
        page.close()


@pytest.mark.parametrize(
    "name", ["example", "grey", "turned-1", "turned-2", "turned-3", "strip", "group", "blurred"]
)
def test_every_face_is_found_and_the_page_finds_the_same(drawn, shipped, finder_page, name):
    folder, truth = drawn
    found = shipped.find(read_image(folder / f"{name}.png"))
    looked = match_faces(name, truth[name], found)
    assert sorted(n for n in looked.matches if n >= 0) == list(range(len(truth[name])))
    assert (looked.matches == -1).sum() == 0
    in_page = detect_in_page(finder_page, f"{name}.png")
    assert len(in_page) == len(found)
    for box in in_page:
        apart = [measure_distance(box, face) for face in found]
        assert min(apart) <= SAME_PX


SHOWN = """async () => {
  const { detector } = globalThis;
  const look = async (name, level) =>
    detector.detect(await createImageBitmap(await (await fetch(`/pictures/${name}.png`)).blob()), level);
  const countSurest = (faces) => faces.filter((face) => face.isSurest).length;
  const still = await look("blurred", 0);
  const live = await look("example", "live");
  return {
    shown: [0, 1, 2, 3, 4].map((level) => still.filter((face) => detector.isShown(face, level)).length),
    sure: still.filter((face) => detector.isSure(face)).length,
    surestOfStills: [still, await look("example", 0)].map(countSurest),
    surestWhilePlaying: countSurest(live),
    foundWhilePlaying: live.length > 0,
    playsLevel: detector.playsLevel,
  };
}"""


def test_a_still_that_has_no_sure_face_shows_its_surest_one_at_every_level(drawn, shipped, finder_page):
    folder, _ = drawn
    pixels = read_image(folder / "blurred.png")
    assert shipped.find(pixels, level=0)[0].score < shipped.bundle.thresholds[2]
    counts = [len(shipped.find(pixels, level=level)) for level in range(5)]
    assert counts[:3] == [1, 1, 1]
    assert shipped.find(pixels, level=2, plays=True) == []
    told = finder_page.evaluate(SHOWN)
    assert told == {
        "shown": counts,
        "sure": 0,
        "surestOfStills": [1, 1],
        "surestWhilePlaying": 0,
        "foundWhilePlaying": True,
        "playsLevel": shipped.bundle.plays_level,
    }


TOLD = """async (name) => {
  const blob = await (await fetch("/pictures/" + name)).blob();
  const found = await globalThis.detector.detect(await createImageBitmap(blob), 0);
  return found.map(({ box, eyes = null, roll = 0 }) => ({ box, eyes, roll }));
}"""


@pytest.mark.parametrize("name", ["example", "grey", "turned-1", "turned-3", "leaning", "group"])
def test_the_page_finds_the_same_eyes(drawn, shipped, finder_page, name):
    folder, _ = drawn
    in_python = {face.box: face for face in shipped.find(read_image(folder / f"{name}.png"), level=4)}
    in_page = finder_page.evaluate(TOLD, f"{name}.png")
    assert {Box(**told["box"]) for told in in_page} == set(in_python)
    for told in in_page:
        face = in_python[Box(**told["box"])]
        assert told["eyes"] == (face.eyes and pytest.approx(face.eyes, abs=SAME_PX))
        assert told["roll"] == pytest.approx(face.roll_deg, abs=SAME_LEAN_DEG)
    assert any(face.eyes for face in in_python.values())
    leaning = [face for face in in_python.values() if face.roll_deg % 90]
    assert bool(leaning) == (name == "leaning")


LIVE = """async () => {
  const blob = await (await fetch("/pictures/leaning.png")).blob();
  return globalThis.detector.detect(await createImageBitmap(blob), "live");
}"""


def test_live_looks_for_no_eyes(finder_page):
    faces = finder_page.evaluate(LIVE)
    assert faces
    assert not any("eyes" in face for face in faces)


def measure_distance(box: Box, face: FoundFace) -> int:
    """Return how far the farthest of two boxes' edges are apart."""
    first, second = (np.array([b.x, b.y, b.x + b.width, b.y + b.height]) for b in (box, face.box))
    return int(np.abs(first - second).max())


@pytest.mark.parametrize(
    ("name", "lean"), [("example", 0), ("turned-1", -90), ("turned-2", -180), ("turned-3", 90)]
)
def test_a_turned_face_is_told_how_far_it_leans(drawn, shipped, name, lean):
    """Its crop is turned upright by that."""
    folder, _ = drawn
    assert {face.roll_deg for face in shipped.find(read_image(folder / f"{name}.png"))} == {lean}
