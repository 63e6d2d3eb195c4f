"""The recipe `eyes`, from what animeface-2009 tells to a bundle: tiny, but the real way."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import run_kyara
from videos import EXAMPLE, read_example

from kyara.dataset.boxed import BoxedFace, read_boxed_pictures
from kyara.dataset.eyes import ask_eyes, choose_eyes, collect_eyes
from kyara.dataset.manifest import Face
from kyara.errors import BadInputError
from kyara.training.plan import EyesPlan
from kyara.training.recipes.detector.export_eyes import read_scenes
from kyara.training.recipes.detector.eyes import SIDE_PX, place_face, train_eyes
from kyara.training.recipes.detector.scenes import make_scene
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detector_bundle import load_detector_bundle
from kyara.vision.detectors.animeface import open_animeface
from kyara.vision.detectors.network import load_network
from kyara.vision.images import read_image

ROOT = Path(__file__).resolve().parents[3]
START = ROOT / "model" / "detector-second"
BOX = Box(40, 30, 80, 80)
EYES = (60.0, 70.0, 100.0, 70.0)


def draw_face() -> np.ndarray:
    """A yellow disc with a blue and a red eye."""
    canvas = np.zeros((150, 160, 3), np.uint8)
    cv2.circle(canvas, (80, 70), 40, (250, 220, 90), -1)
    cv2.circle(canvas, (60, 70), 6, (0, 0, 255), -1)
    cv2.circle(canvas, (100, 70), 6, (255, 0, 0), -1)
    return canvas


@pytest.mark.parametrize("turn", [0.0, 40.0, -60.0])
@pytest.mark.parametrize("mirror", [False, True])
def test_eyes_follow_their_face_into_the_view(turn, mirror):
    scene = make_scene(draw_face(), [BoxedFace((40, 30, 80, 80), EYES)])
    view, eyes = place_face(scene, turn, 1.1, np.array([0.05, -0.03]), mirror=mirror)
    assert view.shape == (SIDE_PX, SIDE_PX, 3)
    places = np.round((np.reshape(eyes, (2, 2)) + 0.5) * SIDE_PX - 0.5).astype(int)
    left, right = (view[y, x].astype(int) for x, y in places)
    if mirror:
        left, right = right, left
    assert left[2] > left[0] + 100
    assert right[0] > right[2] + 100
    assert (eyes[0] < eyes[2]) or abs(turn) > 45


GOOD = FoundFace(Box(36, 28, 90, 90), 0.95, EYES)


@pytest.mark.parametrize(
    "face",
    [
        FoundFace(GOOD.box, 0.5, EYES),
        FoundFace(Box(110, 100, 40, 40), 0.95, EYES),
        FoundFace(GOOD.box, 0.95, None),
        FoundFace(GOOD.box, 0.95, (60, 70, 75, 70)),
        FoundFace(GOOD.box, 0.95, (42, 70, 118, 70)),
        FoundFace(GOOD.box, 0.95, (60, 60, 90, 85)),
        FoundFace(GOOD.box, 0.95, (20, 70, 60, 70)),
        FoundFace(GOOD.box, 0.95, (60, 100, 100, 100)),
    ],
)
def test_eyes_that_cannot_be_believed_are_left_out(face):
    assert choose_eyes(BOX, [face]) is None
    assert choose_eyes(BOX, [face, GOOD]) == EYES


def test_animeface_is_asked_once_for_each_face(tmp_path):
    """A picture that was asked is not asked again, and eyes lie in their tight face."""
    example = tmp_path / "one.png"
    pixels = read_image(EXAMPLE)[150:560, 560:960]
    cv2.imwrite(str(example), pixels[..., ::-1])
    faces = [Face(example, "a", "train", "g")]
    network = load_network(ROOT / "model" / "detector-second")
    with open_animeface(threshold=0.0) as asked:
        assert ask_eyes(pixels, asked)
        told = collect_eyes(faces, tmp_path / "out", network, asked, most=5, seed=1)
    again = collect_eyes(faces, tmp_path / "out", network, Refuses(), most=5, seed=1)
    assert told == again == 1
    (picture,) = read_boxed_pictures(tmp_path / "out")
    (face,) = picture.faces
    x, y, width, height = face.box
    assert face.eyes is not None
    assert x < face.eyes[0] < face.eyes[2] < x + width
    assert y < face.eyes[1] < y + height


class Refuses:
    """A detector that must not be asked."""

    name, version, box_scale = "refuses", "1", 1.0

    def find(
        self, pixels: np.ndarray, *, level: int | None = None, plays: bool = False
    ) -> list[FoundFace]:
        raise AssertionError("asked again")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawn faces with eyes, one without."""
    folder = tmp_path_factory.mktemp("told")
    splits = dict(zip("abcdefg", ["train"] * 4 + ["val", "test", "train"], strict=True))
    for name in splits:
        cv2.imwrite(str(folder / f"{name}.png"), draw_face()[..., ::-1])
    boxes = {f"{name}.png": [[40, 30, 80, 80]] for name in splits}
    eyes = {name: [list(EYES)] for name in boxes} | {"g.png": [None]}
    (folder / "boxes.json").write_text(json.dumps(boxes))
    (folder / "eyes.json").write_text(json.dumps(eyes))
    (folder / "splits.json").write_text(
        json.dumps({f"{name}.png": split for name, split in splits.items()})
    )
    return folder


PLAN = ("--views", "32", "--views-per-epoch", "16", "--batch", "8")


def test_training_puts_eyes_beside_a_detector(told, tmp_path):
    order = ("train", told, "--recipe", "eyes", "--start-weights", START, "--name", "with-eyes")
    run_kyara(*order, "--models", tmp_path, "--run", tmp_path / "run", *PLAN)
    bundle, before = load_detector_bundle(tmp_path / "with-eyes"), load_detector_bundle(START)
    assert bundle.network == before.network
    assert bundle.thresholds == before.thresholds
    assert bundle.provenance["eyes"]["faces"] == {"train": 4, "val": 1, "test": 1}
    card = (tmp_path / "with-eyes" / "MODEL_CARD.md").read_text()
    assert "| val | 45° | 2 |" in card
    found = load_network(tmp_path / "with-eyes").find(read_example(560))
    assert [face.box for face in found] == [f.box for f in load_network(START).find(read_example(560))]
    run_kyara(*order, "--models", tmp_path / "again", "--run", tmp_path / "run", *PLAN)
    assert load_detector_bundle(tmp_path / "again" / "with-eyes").eyes == bundle.eyes


def test_training_without_eyes_is_refused(told, tmp_path):
    pictures = [one for one in read_boxed_pictures(told) if one.path.name == "g.png"]
    scenes = read_scenes(pictures, "train")
    assert scenes == []
    with pytest.raises(BadInputError, match=r"dataset eyes"):
        train_eyes(scenes, EyesPlan(), tmp_path)
