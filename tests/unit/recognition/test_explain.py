"""Why an answer: the real network, on faces that the tests draw, and geometry worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from drawings import LABELS, draw_face
from PIL import Image
from videos import EXAMPLE

from classification import Classifier
from kyara.errors import BadInputError
from kyara.recognition.bundle import View
from kyara.recognition.explain import METHODS, count_runs, explain_crop, scale_box, see_mask
from kyara.vision.boxes import Box
from kyara.vision.images import crop_pixels, encode_png, read_image


@pytest.fixture(scope="session")
def face(tiny_data: Path) -> np.ndarray:
    """A drawn face that the tiny model knows."""
    return read_image(tiny_data / LABELS[1] / "002.png")


def hide(pixels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Fill places of a picture with its mean colour."""
    mask = Image.fromarray(places).resize((pixels.shape[1], pixels.shape[0]))
    hidden = pixels.copy()
    hidden[np.asarray(mask)] = pixels.mean(axis=(0, 1))
    return hidden


@pytest.mark.parametrize("method", METHODS)
def test_a_map_lies_over_the_crop_and_its_heat_is_a_share(
    tiny_classifier: Classifier, face: np.ndarray, method: str
):
    explanation = explain_crop(tiny_classifier, face, LABELS[1], method)
    size = tiny_classifier.backbone.preprocessing.input_px
    assert explanation.raw.shape == explanation.heat.shape == (size, size)
    assert explanation.heat.dtype == explanation.raw.dtype == np.float32
    assert 0 <= explanation.heat.min() <= explanation.heat.max() <= 1


def compare_places(classifier: Classifier, data: Path, method: str, cut) -> float:
    """Return how much more the model sees in the hottest places than in the coldest, over many faces."""
    gains = []
    for column, label in enumerate(classifier.labels):
        for number in range(3):
            face = read_image(data / label / f"{number:03}.png")
            raw = explain_crop(classifier, face, label, method).raw
            pair = [cut(face, raw), cut(face, -raw)]
            hot, cold = classifier.score(classifier.backbone.extract(pair))[0][:, column]
            gains.append(hot - cold)
    return float(np.mean(gains))


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_hiding_what_the_map_names_lowers_the_score_most(
    tiny_classifier: Classifier, tiny_data: Path, method: str
):
    def hide_hottest(pixels: np.ndarray, raw: np.ndarray) -> np.ndarray:
        return hide(pixels, raw >= np.quantile(raw, 0.8))

    assert compare_places(tiny_classifier, tiny_data, method, hide_hottest) < 0


def test_the_window_that_the_map_names_has_the_highest_score(
    tiny_classifier: Classifier, tiny_data: Path
):
    def cut_hottest(pixels: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """Cut out the square of 42% of the side whose mean in the map is highest."""
        side = round(len(raw) * 0.42)
        sums = np.lib.stride_tricks.sliding_window_view(raw, (side, side)).mean(axis=(2, 3))
        top, left = np.unravel_index(sums.argmax(), sums.shape)
        box = scale_box(Box(int(left), int(top), side, side), len(raw), pixels.shape[1], pixels.shape[0])
        return np.ascontiguousarray(crop_pixels(pixels, box))

    assert compare_places(tiny_classifier, tiny_data, "sliding-window", cut_hottest) > 0


def test_random_masks_give_the_same_map_again(tiny_classifier: Classifier, face: np.ndarray):
    first, again = (explain_crop(tiny_classifier, face, LABELS[0], "rise") for _ in range(2))
    assert np.array_equal(first.raw, again.raw)


def test_the_best_answer_is_explained_with_its_own_score(tiny_classifier: Classifier, face: np.ndarray):
    explanation = explain_crop(tiny_classifier, face)
    features = tiny_classifier.backbone.extract([face])
    best = tiny_classifier.answer(features)[0].answers[0].label
    column = tiny_classifier.labels.index(best)
    assert (explanation.label, explanation.method) == (best, "occlusion")
    assert explanation.score == pytest.approx(float(tiny_classifier.score(features)[0][0, column]))
    similarities = [near.similarity for near in explanation.nearest]
    assert similarities == sorted(similarities, reverse=True)
    assert {near.label for near in explanation.nearest} > {best}


def test_a_taught_character_is_explained(tiny_classifier: Classifier, face: np.ndarray):
    features = tiny_classifier.backbone.extract([face])
    taught = tiny_classifier.teaching({"somebody_new": features})
    explanation = explain_crop(taught, face, "somebody_new", "sliding-window")
    assert explanation.nearest[0].label == "somebody_new"
    assert explanation.nearest[0].taught
    assert explanation.nearest[0].similarity == pytest.approx(1, abs=1e-3)
    assert explanation.strength > 0


@pytest.mark.parametrize(
    ("shape", "method"),
    [((1, 1, 3), "sliding-window"), ((3, 700, 3), "sliding-window"), ((300, 1, 3), "occlusion")],
)
def test_crops_of_any_shape_are_explained(tiny_classifier: Classifier, shape, method: str):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.isfinite(explain_crop(tiny_classifier, pixels, method=method).raw).all()


@pytest.mark.parametrize(
    ("label", "method", "message"),
    [
        ("nobody", "occlusion", "knows nobody by the label 'nobody'"),
        ("", "occlusion", "knows nobody by the label ''"),
        (None, "grad-cam", "needs the gradients .* Choose one of: occlusion, sliding-window, rise"),
        (None, "Grad_CAM", "needs the gradients"),
        (None, "deconvolution", "runs it forwards only"),
        (None, "magic", "There is no method 'magic'"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    tiny_classifier: Classifier, face: np.ndarray, label: str | None, method: str, message: str
):
    with pytest.raises(BadInputError, match=message):
        explain_crop(tiny_classifier, face, label, method)


def test_a_view_sees_the_inner_part_of_a_mask_and_may_mirror_it():
    mask = np.tile(np.arange(4, dtype=np.float32), (4, 1))
    assert see_mask(mask, View())[0].tolist() == [0, 1, 2, 3]
    assert see_mask(mask, View(mirror=True))[0].tolist() == [3, 2, 1, 0]
    # A quarter of the side goes at each edge: cells 1 and 2 are left, each twice as wide.
    assert see_mask(mask, View(inset=0.25))[3].tolist() == [1, 1, 2, 2]


def test_a_box_on_the_grid_takes_in_every_pixel_that_it_touches():
    assert scale_box(Box(1, 0, 2, 4), 4, 200, 100) == Box(50, 0, 100, 100)
    assert scale_box(Box(1, 2, 1, 1), 4, 6, 1) == Box(1, 0, 2, 1)


def test_larger_inputs_get_fewer_runs():
    assert [count_runs(px) for px in (75, 128, 256, 1024)] == [256, 256, 64, 16]


def test_the_command_draws_and_tells(tiny_bundle: Path, tmp_path: Path):
    picture = tmp_path / "face.png"
    draw_face(0, np.random.default_rng(5)).save(picture)
    out = tmp_path / "why.png"
    arguments = ("explain", picture, "--whole", "--label", LABELS[0], "--model", tiny_bundle)
    told = run_kyara(*arguments, "--out", out, "--language", "ja").stdout
    assert "赤リボン — 描かれた四人 (aka_ribbon)" in told
    assert str(out) in told
    with Image.open(out) as drawn:
        assert drawn.format == "PNG"
    document = json.loads(run_kyara(*arguments, "--method", "rise", "--json").stdout)
    assert document["box"] == {"x": 0, "y": 0, "width": 96, "height": 96}
    assert document["heatmap"].startswith("data:image/png;base64,")
    assert (document["label"], document["method"]) == (LABELS[0], "rise")


def test_bars_around_a_picture_change_nothing_that_the_command_tells(tiny_bundle: Path, tmp_path: Path):
    picture = np.maximum(read_image(EXAMPLE), 40)
    documents = []
    for name, bars in (("plain", ((0, 0), (0, 0))), ("barred", ((90, 40), (300, 11)))):
        path = tmp_path / f"{name}.png"
        path.write_bytes(encode_png(np.pad(picture, (*bars, (0, 0)))))
        told = run_kyara(
            "explain", path, "--face", "2", "--label", LABELS[0], "--model", tiny_bundle, "--json"
        )
        documents.append(json.loads(told.stdout))
    plain, barred = documents
    box = plain["box"]
    moved = {**box, "x": box["x"] + 300, "y": box["y"] + 90}
    assert barred == {**plain, "source": str(tmp_path / "barred.png"), "box": moved}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--whole", "--label", "nobody"], "knows nobody by the label"),
        (["--whole", "--method", "grad-cam"], "needs the gradients"),
        ([], "No face was found"),
        (["--whole", "--out", "/nowhere/why.png"], "Cannot write /nowhere/why.png"),
    ],
)
def test_the_command_refuses_in_one_line(
    tiny_bundle: Path, tmp_path: Path, options: list[str], message: str
):
    blank = tmp_path / "blank.png"
    Image.new("RGB", (64, 64), "white").save(blank)
    done = run_kyara("explain", blank, "--model", tiny_bundle, *options, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
