"""A picture that somebody chose shows its surest face; a frame of what plays need not show anybody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import draw_unsure

from classification import Classifier
from kyara.dataset.collect import Inbox, Settings, collect_source
from kyara.recognition.people.video import watch_video
from kyara.recognition.pictures import find_faces, identify_pixels
from kyara.vision.detectors.base import open_detector
from kyara.vision.detectors.network import NetworkDetector


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An animation of two seconds in which one face is unsure."""
    path = tmp_path_factory.mktemp("playing") / "playing.png"
    first, second = draw_unsure(), draw_unsure()
    second.putpixel((0, 0), (0, 0, 0))
    first.save(path, save_all=True, append_images=[second], duration=1000)
    return path


def test_the_surest_face_of_a_still_gets_a_name_and_that_of_a_frame_does_not(
    tiny_classifier: Classifier, playing: Path
):
    pixels = np.asarray(draw_unsure())
    with open_detector("network") as finder:
        assert len(identify_pixels(pixels, tiny_classifier, finder).faces) == 1
        find_window = tiny_classifier.bundle.preprocessing.find_window
        assert find_faces(pixels, finder, find_window, plays=True).boxes == ()
    watched = watch_video(playing, tiny_classifier, every_s=1, detector="network")
    assert len(watched.times_s) == 2
    assert watched.people == ()


def test_frames_are_collected_without_it(playing: Path, tmp_path: Path):
    settings = Settings(detector="network", level=2)
    with open_detector("network") as finder:
        assert isinstance(finder, NetworkDetector)
        assert len(finder.find(np.asarray(draw_unsure()), level=2)) == 1
        collected = collect_source(playing, Inbox(tmp_path), settings, finder)
    assert (collected.frames, collected.found) == (2, 0)
