"""Drawings without colours: what counts as one, and what its features go through."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundle_damage import trust_file
from drawings import draw_face
from PIL import Image

from classification import Classifier
from kyara.dataset.library.answering import Answerer
from kyara.errors import BundleError
from kyara.recognition.backbone import load_backbone, prepare_crop
from kyara.recognition.bundle import Bundle, load_bundle, save_bundle
from kyara.recognition.colourless import ColourlessLayer, blur_view, drain_view, is_colourless
from kyara.vision.alterations import drain_colours, print_screentone

HIDDEN = 3


def draw(character: int = 0) -> np.ndarray:
    return np.asarray(draw_face(character, np.random.default_rng(5)))


def as_view(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / 255


def tint(pixels: np.ndarray, dark: tuple[int, ...], light: tuple[int, ...]) -> np.ndarray:
    """Print in shades from one colour to another."""
    share = pixels.mean(axis=2, keepdims=True) / 255
    return (np.array(dark) * (1 - share) + np.array(light) * share).astype(np.uint8)


@pytest.fixture(scope="module")
def layered(tiny_model_folder: Path) -> Bundle:
    """The tiny model with a layer of random numbers."""
    bundle = load_bundle(tiny_model_folder / "tiny")
    random, length = np.random.default_rng(1), bundle.head_weight.shape[0]
    shapes = {
        "linear": (2 * length, length),
        "hidden": (2 * length, HIDDEN),
        "hidden_bias": (HIDDEN,),
        "out": (HIDDEN, length),
    }
    parts = {name: random.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}
    layer = ColourlessLayer(**{name: part.astype(np.float32) for name, part in parts.items()})
    return replace(bundle, colourless=layer)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda pixels: pixels, False),
        (drain_colours, True),
        (print_screentone, True),
        (lambda pixels: tint(pixels, (40, 20, 10), (255, 240, 200)), True),
        (lambda pixels: tint(pixels, (0, 0, 90), (255, 255, 255)), True),
        (lambda pixels: np.full_like(pixels, 200), True),
    ],
)
@pytest.mark.parametrize("side", [96, 75, 20])
def test_shades_of_one_colour_are_no_colours(change, expected, side):
    small = np.asarray(Image.fromarray(change(draw())).resize((side, side), Image.Resampling.BOX))
    view = as_view(small)
    assert is_colourless(view) == expected
    assert is_colourless(view * 2 - 1, (-1.0, 1.0)) == expected


def test_the_noise_of_a_jpeg_is_no_colour():
    noise = np.random.default_rng(2).normal(0, 3, (96, 96, 3))
    assert is_colourless(as_view(np.clip(drain_colours(draw()) + noise, 0, 255)))


def test_one_colour_in_a_grey_drawing_is_a_colour():
    pixels = drain_colours(draw()).copy()
    pixels[40:60, 30:45] = (40, 90, 200)
    assert not is_colourless(as_view(pixels))


def test_a_blurred_screentone_is_nearly_the_drawing_again():
    grey = as_view(drain_colours(draw()))
    dotted = as_view(print_screentone(draw(), 3))
    before, after = (np.abs(seen - blur_view(grey)).mean() for seen in (dotted, blur_view(dotted)))
    assert after < before / 5
    low = blur_view(grey * 2 - 1, (-1.0, 1.0))
    assert low == pytest.approx(blur_view(grey) * 2 - 1, abs=0.01)


def test_a_drained_view_has_the_luminance_in_all_channels():
    drained = drain_view(as_view(draw()))
    assert drained == pytest.approx(as_view(drain_colours(draw())), abs=0.003)
    assert np.ptp(drained, axis=2).max() == 0


def test_the_layer_is_a_line_and_a_bend_of_unit_length():
    layer = ColourlessLayer(
        linear=np.eye(4, 2, dtype=np.float32),
        hidden=np.array([[0], [0], [1], [0]], np.float32),
        hidden_bias=np.array([-1], np.float32),
        out=np.array([[0, 10]], np.float32),
    )
    sharp = np.array([[3, 4], [3, 4]], np.float32)
    blurred = np.array([[0.5, 9], [1.4, 9]], np.float32)
    assert layer.apply(sharp, blurred) == pytest.approx(
        np.array([[0.6, 0.8], [3 / np.hypot(3, 8), 8 / np.hypot(3, 8)]], np.float32)
    )


def test_faces_in_colours_are_looked_at_as_without_a_layer(layered):
    crops = [draw(character) for character in range(4)]
    plain, with_layer = (load_backbone(one) for one in (replace(layered, colourless=None), layered))
    assert np.array_equal(plain.extract(crops), with_layer.extract(crops))


def test_a_face_without_colours_goes_through_the_layer(layered):
    crop = tint(draw(), (60, 30, 20), (255, 240, 220))
    plain, with_layer = (load_backbone(one) for one in (replace(layered, colourless=None), layered))
    views = [drain_view(view) for view in prepare_crop(crop, layered.preprocessing)]
    sharp, blurred = (
        np.stack(list(plain.extract_views(shown))) for shown in (views, map(blur_view, views))
    )
    expected = layered.colourless.apply(sharp, blurred)
    assert with_layer.extract_each([crop])[0] == pytest.approx(expected, abs=1e-6)
    assert np.linalg.norm(expected, axis=1) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(with_layer.extract([crop]), plain.extract([crop]), atol=0.1)


def test_parts_of_a_crop_are_looked_at_as_the_crop_is(layered):
    coloured, grey = draw(), drain_colours(draw())
    network = load_backbone(layered)
    plain = load_backbone(replace(layered, colourless=None))
    part = np.full((20, 20, 3), (200, 60, 60), np.uint8)  # hair alone: shades of a single colour
    assert not np.allclose(network.extract([part]), plain.extract([part]), atol=0.1)
    assert np.array_equal(network.deciding_by(coloured).extract([part]), plain.extract([part]))
    assert np.array_equal(network.deciding_by(grey).extract([part]), network.extract([part]))
    mixed = prepare_crop(coloured, layered.preprocessing)
    seen = np.stack(list(network.deciding_by(grey).extract_views(mixed)))
    assert not np.allclose(seen, np.stack(list(plain.extract_views(mixed))), atol=0.1)


def test_a_layer_comes_back_as_it_was_saved_and_other_features_have_another_name(layered, tmp_path):
    saved = save_bundle(layered, tmp_path / "layered")
    assert saved.colourless is not None
    for name, part in vars(layered.colourless).items():
        assert np.array_equal(getattr(saved.colourless, name), part)
    bare = save_bundle(replace(layered, colourless=None), tmp_path / "bare")
    assert load_bundle(tmp_path / "bare").colourless is None
    names = [load_backbone(one).fingerprint for one in (saved, bare)]
    assert len(set(names)) == 2
    assert [Answerer(one).network for one in (saved, bare)] == names
    assert Answerer(saved, loaded=Classifier(saved)).network == names[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"out": np.zeros((HIDDEN + 1, 256), np.float32)}, "has the shapes"),
        ({"hidden_bias": np.zeros((HIDDEN, 1), np.float32)}, "has the shapes"),
        ({"hidden_bias": np.full(HIDDEN, np.nan, np.float32)}, "not finite"),
    ],
)
def test_a_layer_that_does_not_fit_is_refused(layered, tmp_path, change, sentence):
    wrong = replace(layered, colourless=replace(layered.colourless, **change))
    with pytest.raises(BundleError, match=f"without colours has .*{sentence.removeprefix('has ')}"):
        save_bundle(wrong, tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("parts", [{}, {"linear": np.zeros((512, 256))}, {"more": np.zeros(3)}])
def test_a_layer_that_is_not_whole_is_refused(layered, tmp_path, parts):
    folder = tmp_path / "damaged"
    save_bundle(layered, folder)
    np.savez(folder / "colourless.npz", **parts)
    with pytest.raises(BundleError, match="is damaged"):
        load_bundle(folder)
    trust_file(folder, "colourless.npz")
    with pytest.raises(BundleError, match="not a complete bundle"):
        load_bundle(folder)
    files = json.loads((folder / "bundle.json").read_text())["files"]
    assert set(files) == {"backbone.tflite", "head.npz", "gallery.npz", "colourless.npz"}
