"""Whole pictures: boxes and names are the same whoever asks, with bars around the picture or without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classification import Classifier
from kyara.recognition.bundle import View, save_bundle
from kyara.recognition.embeddings import open_extractor, plan_extraction, read_features
from kyara.recognition.pictures import cut_seen, find_faces, identify_pixels
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detectors.base import open_detector
from kyara.vision.images import ENOUGH_PX, encode_png, read_image


@pytest.mark.parametrize("detector", ["network", "cascade"])
@pytest.mark.parametrize("bars", [(0, 0, 0, 0), (300, 300, 0, 0), (0, 0, 40, 700), (11, 3, 0, 1)])
def test_bars_move_the_boxes_and_change_nothing_else(
    tiny_classifier: Classifier, example, detector, bars
):
    top, bottom, left, right = bars
    barred = np.pad(example, ((top, bottom), (left, right), (0, 0)))
    with open_detector(detector) as finder:
        plain, found = (identify_pixels(one, tiny_classifier, finder) for one in (example, barred))
    assert (found.width, found.height) == barred.shape[1::-1]
    assert len(plain.faces) >= 3
    moved = [(Box(b.x + left, b.y + top, b.width, b.height), said) for b, said in plain.faces]
    assert list(found.faces) == moved


def test_without_bars_the_faces_are_those_of_the_detector(tiny_classifier: Classifier, example):
    bright = np.maximum(example, 40)
    with open_detector("network") as finder:
        faces = finder.find(bright)
        seen = identify_pixels(bright, tiny_classifier, finder, top_k=2)
    height, width = bright.shape[:2]
    find_window = tiny_classifier.bundle.preprocessing.find_window
    windows = [find_window(face, finder.box_scale, width, height) for face in faces]
    crops = [cut_seen(bright, window) for window in windows]
    assert [box for box, _ in seen.faces] == [face.box for face in faces]
    assert [said for _, said in seen.faces] == tiny_classifier.identify(crops, top_k=2)


def test_workers_see_what_is_seen_in_turn(tiny_bundle, tiny_classifier, example, tmp_path: Path):
    path = tmp_path / "bars.png"
    path.write_bytes(encode_png(np.pad(example, ((50, 60), (0, 0), (0, 0)))))
    bundle = tiny_classifier.bundle
    views = (View(), View(mirror=True), View(0.1))
    for settled in (-1e3, 1e3):  # the first view says enough of every face, or of none
        shown = replace(bundle.preprocessing, views=views, first_views=1)
        calibration = replace(bundle.calibration, settled_threshold=settled)
        folder = tmp_path / f"settled{settled}"
        save_bundle(replace(bundle, preprocessing=shown, calibration=calibration), folder)
        classifier = Classifier(folder)
        task = plan_extraction(
            classifier.bundle, whole=False, level=None, detector="network", each_view=True
        )
        with open_extractor(task.options) as look:
            (record,) = look(str(path))
        boxes, each = read_features(record, len(views))
        with open_detector("network") as finder:
            seen = identify_pixels(read_image(path), classifier, finder)
        assert boxes == [box for box, _ in seen.faces]
        assert classifier.answer(classifier.settle(each)) == [said for _, said in seen.faces]


class _Turned:
    """A detector that finds one face, upside down, as large as the picture."""

    name, version, box_scale = "turned", "1", 1.0

    def find(
        self, pixels: np.ndarray, *, level: int | None = None, plays: bool = False
    ) -> list[FoundFace]:
        height, width = pixels.shape[:2]
        return [FoundFace(Box(0, 0, width, height), 1.0, None, 180)]


def test_a_large_turned_face_is_cut_from_a_smaller_picture(tiny_classifier: Classifier):
    small = np.random.default_rng(1).integers(60, 256, (8, 8, 3), np.uint8)
    large = small.repeat(320, axis=0).repeat(320, axis=1)
    find_window = tiny_classifier.bundle.preprocessing.find_window
    (crop,) = find_faces(large, _Turned(), find_window).crops
    assert ENOUGH_PX <= max(crop.shape) < 2 * ENOUGH_PX + 2
    middle_y, middle_x = (side // 2 for side in crop.shape[:2])
    for step, tile in ((8, 3), (-8, 4)):  # it stands on its head
        colour = crop[middle_y + step, middle_x + step].astype(int)
        assert np.abs(colour - small[tile, tile]).max() <= 3
