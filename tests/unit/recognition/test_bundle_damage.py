"""A damaged bundle is refused with a sentence, and what served before goes on serving."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from bundle_damage import DAMAGE, flip_a_byte
from command_line import run_kyara

from classification import Classifier
from kyara.errors import BundleError
from kyara.registry import find_serving, promote_bundle


@pytest.mark.parametrize(("damage", "sentence"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_bundle_is_refused_and_the_previous_one_goes_on_serving(
    mixed, tiny_bundle, damage, sentence
):
    models = mixed.parent
    shutil.copytree(tiny_bundle, models / "good")
    promote_bundle("good", models)
    registry = (models / "registry.json").read_bytes()
    damage(mixed)
    with pytest.raises(BundleError, match=sentence):
        Classifier(mixed)
    with pytest.raises(BundleError, match=sentence):
        promote_bundle("mixed", models)
    assert (models / "registry.json").read_bytes() == registry
    assert Classifier(find_serving(models)).bundle.name == "good"


def test_the_command_line_and_the_site_say_what_is_wrong(mixed, make_app):
    models = mixed.parent
    promote_bundle("mixed", models)
    flip_a_byte(mixed)
    done = run_kyara("promote", "mixed", "--models", models, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("kyara: ")
    assert "backbone.tflite is damaged" in done.stderr
    answer = make_app(MODEL_FOLDER=str(models)).test_client().get("/healthz")
    assert answer.status_code == 503
    assert "backbone.tflite is damaged" in answer.get_json()["detail"]


def test_a_file_overwritten_under_a_running_site_does_not_reach_the_answers(mixed):
    classifier = Classifier(mixed)
    crop = np.full((80, 80, 3), 90, np.uint8)
    before = classifier.backbone.extract([crop])
    path = mixed / "backbone.tflite"
    path.write_bytes(bytes(path.stat().st_size))
    np.testing.assert_array_equal(classifier.backbone.extract([crop]), before)
