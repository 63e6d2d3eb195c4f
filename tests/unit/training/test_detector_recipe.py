"""The recipe `detector`, from drawn pictures to a bundle: tiny, but the real way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from command_line import run_kyara

from kyara.dataset.boxed import read_boxed_pictures
from kyara.errors import BadInputError
from kyara.training.plan import DetectorPlan
from kyara.training.recipes.detector.degrade import degrade_view
from kyara.training.recipes.detector.looks import LOOKS
from kyara.training.recipes.detector.mining import (
    FLOOR,
    choose_thresholds,
    keep_mined,
    mine_sources,
    restore_mined,
)
from kyara.training.recipes.detector.scenes import (
    BoxedFace,
    Placement,
    draw_scene,
    make_scene,
    move_faces,
)
from kyara.training.recipes.detector.start import build_started_detector
from kyara.training.recipes.detector.targets import SMALLEST_FACE_PX, ViewFace, draw_targets
from kyara.training.recipes.detector.train import train_detector
from kyara.training.recipes.detector.views import Sources, draw_view
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detector_bundle import (
    find_detector_bundle,
    load_detector_bundle,
    write_detector_bundle,
)
from kyara.vision.detectors.network import NetworkDetector
from kyara.vision.detectors.tiles import CELL_PX, CHANNELS


def draw_face(canvas: np.ndarray, x: int, y: int, side: int) -> None:
    """A yellow disc with two black eyes."""
    middle, radius = (x + side // 2, y + side // 2), side // 2
    cv2.circle(canvas, middle, radius, (250, 220, 90), -1)
    for dx in (-radius // 2, radius // 2):
        cv2.circle(canvas, (middle[0] + dx, middle[1]), max(1, radius // 5), (10, 10, 10), -1)


@pytest.fixture(scope="module")
def boxed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures, one face each but for every fourth, with boxes and splits."""
    folder = tmp_path_factory.mktemp("boxed")
    random = np.random.default_rng(3)
    boxes, splits = {}, {}
    for number in range(16):
        canvas = random.integers(0, 120, (6, 8, 3), dtype=np.uint8)
        canvas = cv2.resize(canvas, (200, 150), interpolation=cv2.INTER_CUBIC)
        name = f"drawn-{number:02}.png"
        boxes[name] = []
        if number % 4:
            side = int(random.integers(30, 80))
            x, y = (int(random.integers(0, limit - side)) for limit in (200, 150))
            draw_face(canvas, x, y, side)
            boxes[name] = [[x, y, side, side]]
        splits[name] = "val" if number >= 13 else "test" if number >= 11 else "train"
        cv2.imwrite(str(folder / name), canvas[..., ::-1])
    (folder / "unlabelled").mkdir()
    shutil.copy(folder / "drawn-01.png", folder / "unlabelled" / "loose.png")
    (folder / "boxes.json").write_text(json.dumps(boxes))
    (folder / "splits.json").write_text(json.dumps(splits))
    return folder


def make_sources(folder: Path) -> Sources:
    scenes = [
        make_scene(p.read(), p.faces) for p in read_boxed_pictures(folder) if p.split != "unlabelled"
    ]
    whole = [scene for scene in scenes if scene.faces]
    return Sources(whole, whole, [scene for scene in scenes if not scene.faces])


def test_boxes_and_splits_are_read(boxed):
    *pictures, loose = read_boxed_pictures(boxed)
    assert len(pictures) == 16
    assert [len(p.faces) for p in pictures[:5]] == [0, 1, 1, 1, 0]
    assert {p.split for p in pictures} == {"train", "val", "test"}
    assert (loose.path.name, loose.split) == ("loose.png", "unlabelled")


def test_a_folder_without_boxes_is_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"neither boxes.json nor index.csv"):
        read_boxed_pictures(tmp_path)
    (tmp_path / "boxes.json").write_text("half {")
    with pytest.raises(BadInputError, match=r"not JSON"):
        read_boxed_pictures(tmp_path)


def test_portraits_are_read_from_an_index(tmp_path):
    (tmp_path / "index.csv").write_text(
        "path,split,face_x,face_y,face_width,face_height\na.png,train,1,2,30,40\nb.png,train,,,,\n"
    )
    (portrait,) = read_boxed_pictures(tmp_path)
    assert portrait.portrait
    assert portrait.faces[0].box == (1.0, 2.0, 30.0, 40.0)


@pytest.mark.parametrize("turn", [0, 90, -90, 180, 30])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_box_follows_its_face_whatever_the_placement(turn, mirror):
    """The disc is where the moved box says: its colour is in the middle, and not outside."""
    canvas = np.zeros((150, 200, 3), np.uint8)
    draw_face(canvas, 30, 40, 60)
    eyes = (45.0, 70.0, 75.0, 70.0)
    scene = make_scene(canvas, [BoxedFace((30, 40, 60, 60), eyes)])
    placement = Placement(0.8, turn, mirror, 60, 70, 120, 90)
    view = np.zeros((256, 256, 3), np.uint8)
    draw_scene(view, scene, placement)
    (face,) = move_faces(scene, placement)
    x, y, width, height = face.box
    assert (x + width / 2, y + height / 2) == pytest.approx((120, 90))
    yellow = (view[..., 0] > 200) & (view[..., 2] < 150)
    rows, columns = np.nonzero(yellow)
    assert (columns.min(), columns.max()) == pytest.approx((x, x + width), abs=2.5)
    assert (rows.min(), rows.max()) == pytest.approx((y, y + height), abs=2.5)
    assert face.eyes is not None
    for eye_x, eye_y in np.reshape(face.eyes, (2, 2)):
        assert view[round(eye_y), round(eye_x)].max() < 60
    left_eye = np.array(face.eyes[:2]) - [120, 90]
    expected = np.array([-12 * np.cos(np.radians(turn)), 12 * np.sin(np.radians(turn))])
    assert left_eye == pytest.approx(expected, abs=0.5)


def test_targets_say_where_the_face_is_and_how_large():
    target = draw_targets([ViewFace((40, 24, 48, 32), (50, 36, 78, 36))], 128)
    row, column = np.unravel_index(target[..., 0].argmax(), target.shape[:2])
    assert (row, column) == (5, 8)  # the middle (64, 40) in cells of 8 px
    dx, dy, log_width, log_height = target[row, column, 1:5]
    assert ((column + 0.5 + dx) * CELL_PX, (row + 0.5 + dy) * CELL_PX) == pytest.approx((64, 40))
    assert (np.exp(log_width) * CELL_PX, np.exp(log_height) * CELL_PX) == pytest.approx((48, 32))
    assert target[row, column, 5:9] == pytest.approx([-14 / 48, -4 / 32, 14 / 48, -4 / 32])
    assert target[row, column, CHANNELS:].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "face",
    [
        ViewFace((20, 20, SMALLEST_FACE_PX - 2, 30)),
        ViewFace((40, 40, 40, 40), sure=False),
        ViewFace((-30, 40, 40, 40)),
    ],
)
def test_what_is_no_sure_face_is_not_counted(face):
    target = draw_targets([face], 128)
    assert target[..., 0].max() == 0
    assert target[..., CHANNELS].min() == 0
    assert target[..., CHANNELS + 1].max() == 0


def test_views_hold_what_they_say(boxed):
    sources, random = make_sources(boxed), np.random.default_rng(1)
    views = [draw_view(sources, 128, random) for _ in range(80)]
    assert {pixels.shape for pixels, _ in views} == {(128, 128, 3)}
    assert {pixels.dtype for pixels, _ in views} == {np.dtype(np.uint8)}
    counts = [len(faces) for _, faces in views]
    assert min(counts) == 0
    assert max(counts) > 3


def test_the_same_seed_draws_the_same_views(boxed):
    sources = make_sources(boxed)
    first, again = (
        [draw_view(sources, 96, np.random.default_rng(7)) for _ in range(5)] for _ in range(2)
    )
    for (pixels, faces), (same, same_faces) in zip(first, again, strict=True):
        assert (pixels == same).all()
        assert faces == same_faces


def test_a_degraded_view_keeps_its_shape():
    random = np.random.default_rng(2)
    pixels = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for _ in range(100):
        assert degrade_view(pixels, random).shape == (64, 64, 3)


SHIPPED = find_detector_bundle()
PLAN = ("--side-px", "64", "--batch", "8", "--views-per-epoch", "32")


@pytest.fixture(scope="module")
def trained(boxed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of two tiny epochs."""
    folder = tmp_path_factory.mktemp("trained")
    run_kyara(
        *("train", boxed, "--recipe", "detector", "--name", "detector-drawn", "--models", folder),
        *("--run", folder / "run", "--views", "64", *PLAN),
    )
    return folder


def test_training_leaves_a_whole_bundle(trained):
    bundle = load_detector_bundle(trained / "detector-drawn")
    assert bundle.provenance["recipe"] == "detector"
    assert bundle.provenance["pictures"] == {"train": 11, "val": 3, "test": 2, "unlabelled": 1}
    card = (trained / "detector-drawn" / "MODEL_CARD.md").read_text()
    assert "## On `val`" in card
    assert "## On `test`" in card
    pixels = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    faces = NetworkDetector(bundle).find_above(pixels, 0.0001)
    assert all(0 <= f.box.x < f.box.x + f.box.width <= 200 for f in faces)


def test_a_finished_run_is_exported_again_to_the_byte(boxed, trained):
    again = trained / "again"
    run_kyara(
        *("train", boxed, "--recipe", "detector", "--name", "detector-drawn", "--models", again),
        *("--run", trained / "run", "--views", "64", *PLAN),
    )
    first = load_detector_bundle(trained / "detector-drawn")
    assert load_detector_bundle(again / "detector-drawn").network == first.network


def test_training_goes_on_from_a_detector_that_ships(boxed, trained):
    """The network does what the file does, and learns from there; eyes stay beside it."""
    run_kyara(
        *("train", boxed, "--recipe", "detector", "--name", "detector-on", "--models", trained),
        *("--run", trained / "on", "--start-weights", SHIPPED),
        *("--views", "64", "--learning-rate", "1e-9", "--mine-at", "0", *PLAN),
    )
    start, bundle = (load_detector_bundle(folder) for folder in (SHIPPED, trained / "detector-on"))
    assert bundle.eyes == start.eyes
    assert bundle.provenance["from"]["version"] == start.version


def test_the_start_weights_say_the_same_in_keras():
    network = load_detector_bundle(SHIPPED).network
    views = np.random.default_rng(0).integers(0, 256, (16, 128, 128, 3), dtype=np.uint8)
    views = np.stack([cv2.GaussianBlur(view, (0, 0), 6) for view in views])
    model = build_started_detector(network, views)
    interpreter = Interpreter(model_content=network)
    place = interpreter.get_input_details()[0]["index"]
    shown = views[:1].astype(np.float32) / 255
    interpreter.resize_tensor_input(place, shown.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, shown)
    interpreter.invoke()
    said = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(model(shown, training=False), said, atol=1e-4)
    together = model(views.astype(np.float32) / 255, training=True)
    apart = model(views.astype(np.float32) / 255, training=False)
    assert np.abs(together - apart).mean() < 0.05 * np.abs(apart).mean()


def test_start_weights_of_another_network_are_refused(boxed, trained):
    shipped = load_detector_bundle(SHIPPED)
    assert shipped.eyes
    shown = {"settings": {**LOOKS}, "thresholds": [0.5], "default_level": 0, "provenance": {}}
    write_detector_bundle(trained / "strange", shipped.eyes, shown)
    done = run_kyara(
        *("train", boxed, "--recipe", "detector", "--name", "detector-x", "--models", trained),
        *("--run", trained / "x", "--start-weights", trained / "strange", "--views", "32", *PLAN),
        check=False,
    )
    assert done.returncode == 1
    assert "another face network" in done.stderr


class Says:
    """A detector that says the same of every black picture, and nothing of others."""

    name, box_scale = "says", 1.0

    def __init__(self, *faces: FoundFace) -> None:
        self.faces = faces

    def find(
        self, pixels: np.ndarray, *, level: int | None = None, plays: bool = False
    ) -> list[FoundFace]:
        return [] if pixels.any() else list(self.faces)

    def find_upright(self, pixels: np.ndarray, least: float) -> list[FoundFace]:
        return [face for face in self.find(pixels) if face.score >= least]


def test_what_two_detectors_agree_on_becomes_a_label(tmp_path):
    """Agreed, sure alone, doubtful, the cascade's alone; in a boxed picture a false box is a mistake."""
    picture = make_scene(np.zeros((200, 300, 3), np.uint8))
    boxed = make_scene(np.zeros((200, 300, 3), np.uint8), [BoxedFace((10, 10, 40, 40))])
    agreed, sure, doubtful, mistaken = (
        FoundFace(Box(x, 10, 40, 40), score)
        for x, score in ((10, 0.6), (80, 0.9), (150, 0.3), (220, 0.2))
    )
    network = Says(agreed, sure, doubtful, mistaken)
    cascade = Says(agreed, FoundFace(Box(10, 120, 40, 40), 1.0), sure)
    quiet = [make_scene(np.full((20, 20, 3), 255, np.uint8))] * 30
    sources = Sources([boxed], (), [picture, *quiet], unlabelled=[picture])
    mined = mine_sources(sources, network, cascade)  # type: ignore[arg-type]
    known, labelled = mined.pictures
    assert known.mistaken == ((150, 10, 40, 40), (220, 10, 40, 40))
    assert [face.sure for face in known.faces] == [True, False]
    assert [face.sure for face in labelled.faces] == [True, True, False, False, False]
    assert mined.negatives[0].mistaken == ((150, 10, 40, 40), (220, 10, 40, 40))
    keep_mined(mined, tmp_path)
    restored = restore_mined(sources, tmp_path)
    assert [s.faces for s in restored.pictures] == [s.faces for s in mined.pictures]
    assert [s.mistaken for s in restored.pictures] == [s.mistaken for s in mined.pictures]
    random = np.random.default_rng(4)
    views = [draw_view(replace(mined, portraits=[boxed]), 96, random)[1] for _ in range(60)]
    assert {face.sure for faces in views for face in faces} == {True, False}


def test_a_missed_face_is_drawn_often_and_a_displaced_label_is_doubtful(tmp_path):
    """Found, missed, and a label beside which the network is sure."""
    labels = [(10, 10, 40, 40), (80, 10, 40, 40), (150, 40, 40, 40)]
    boxed = make_scene(np.zeros((200, 300, 3), np.uint8), [BoxedFace(box) for box in labels])
    network = Says(FoundFace(Box(12, 10, 40, 40), 0.9), FoundFace(Box(150, 12, 40, 40), 0.8))
    false = make_scene(np.zeros((200, 300, 3), np.uint8))
    quiet = [make_scene(np.full((20, 20, 3), 255, np.uint8))] * 300
    mined = mine_sources(Sources([boxed], (), [*quiet[:9], false]), network, Says())  # type: ignore[arg-type]
    (known,) = mined.pictures
    assert known.missed == (1, 2)  # the threshold lies above both: nothing is sure
    mined = mine_sources(Sources([boxed], (), quiet), network, Says())  # type: ignore[arg-type]
    (known,) = mined.pictures
    assert known.missed == (1,)
    assert [face.sure for face in known.faces] == [True, True, False, False]
    assert known.faces[3].box == (150, 12, 40, 40)
    keep_mined(mined, tmp_path)
    (restored,) = restore_mined(Sources([boxed], (), quiet), tmp_path).pictures
    assert (restored.faces, restored.missed) == (known.faces, known.missed)
    found = make_scene(np.zeros((200, 300, 3), np.uint8), [BoxedFace((10, 10, 40, 40))])
    shares = (1.0, 0.0, 0.0, 0.0)
    sources = replace(mined, pictures=[known, *[found] * 50], portraits=[found], shares=shares)
    random = np.random.default_rng(5)
    views = [draw_view(sources, 96, random)[1] for _ in range(200)]
    doubtful = sum(any(not face.sure for face in faces) for faces in views)
    assert doubtful > 20  # four of 200 without the preference


def test_thresholds_follow_the_false_boxes():
    chosen = choose_thresholds([0.9, 0.5, 0.3, 0.2, 0.1], 10)
    assert chosen == {"alone": 0.9, "agreed": 0.3, "doubtful": FLOOR}


def test_other_pictures_are_refused(boxed, trained, tmp_path):
    state = json.loads((trained / "run" / "state.json").read_text())
    shutil.copytree(trained / "run", tmp_path / "run")
    (tmp_path / "run" / "state.json").write_text(json.dumps({**state, "data": "of another folder"}))
    sources = make_sources(boxed)
    with pytest.raises(BadInputError, match=r"begun with other pictures"):
        train_detector(sources, DetectorPlan(**state["plan"]), tmp_path / "run")


def test_another_plan_is_refused(boxed, trained):
    done = subprocess.run(
        [sys.executable, "-m", "kyara", "train", boxed, "--recipe", "detector", "--name", "detector-x"]
        + [
            str(word) for word in ("--models", trained, "--run", trained / "run", "--views", "96", *PLAN)
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "was begun with another plan" in done.stderr


def test_evaluate_measures_a_detector(boxed, trained):
    done = run_kyara("evaluate", trained / "detector-drawn", boxed, "--split", "val", "--json")
    measured = json.loads(done.stdout)["val"]
    assert (measured["pictures"], measured["faces"]) == (3, 3 - sum(n % 4 == 0 for n in (13, 14, 15)))
    assert set(measured["curve"]) == {"0.05", "0.1", "0.5"}
