"""Some teach and forget while others ask: every answer is of one moment, in every process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT
from strangers import STRANGERS

from classification import Classifier
from kyara.recognition.bundle import load_bundle

PATHS = (str(Path(__file__).parent), str(ROOT / "tests" / "support"))
ROUNDS = 15
CROPS = 3
TAUGHT_LABELS = ("race/one", "race/two")


@pytest.fixture
def classifier(tiny_bundle: Path, tmp_path: Path) -> Classifier:
    return Classifier(load_bundle(tiny_bundle), taught=tmp_path / "taught.db")


def crops_of(label: str) -> list[np.ndarray]:
    """Return three different crops of a taught character."""
    darker = np.uint8(TAUGHT_LABELS.index(label) * 90)
    return [np.clip(crop, darker, 255) for crop in STRANGERS[:CROPS]]


def teach_and_forget(classifier: Classifier, label: str) -> None:
    for _ in range(ROUNDS):
        assert classifier.teach(label, crops_of(label)) == CROPS
        classifier.forget(label)
        hidden = classifier.bundle.labels[TAUGHT_LABELS.index(label)]
        classifier.forget(hidden)
        classifier.teach(hidden, STRANGERS[:1])


def find_torn(classifier: Classifier, features: np.ndarray) -> list[str]:
    """Ask once for everything that must agree, and say what does not."""
    torn = []
    view = classifier.frozen()
    scores, similarities = view.score(features)
    if scores.shape != similarities.shape or scores.shape[1] != len(view.characters):
        torn.append(f"{scores.shape} for {len(view.characters)}")
    if not np.isfinite(scores).all():
        torn.append("a character that nothing is known of")
    for label in TAUGHT_LABELS:
        ids = view.taught.get(label, [])
        near = view.nearest(features[0], label, 9) if label in view.labels else []
        if len(ids) != len(near) or len(near) not in (0, CROPS):
            torn.append(f"{label}: {ids}, {near}")
    # the same question, without a view: one answer for every character, and confidences that sum to 1
    for face in classifier.answer(features, top_k=99):
        labels = [answer.label for answer in face.answers]
        total = sum(answer.confidence for answer in face.answers)
        if len(set(labels)) != len(labels) or abs(total - 1) > 1e-6:
            torn.append(f"{labels}, {total}")
        if set(labels) - set(TAUGHT_LABELS) - set(classifier.bundle.labels):
            torn.append(f"{labels}")
    return torn


def test_no_answer_is_torn_while_others_teach_and_forget(classifier):
    features = classifier.backbone.extract(STRANGERS)
    done = threading.Event()
    torn: list[str] = []
    seen: set[tuple[str, ...]] = set()

    def ask() -> None:
        while not done.is_set() and not torn:
            torn.extend(find_torn(classifier, features))
            seen.add(classifier.labels)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    teachers = [threading.Thread(target=teach_and_forget, args=(classifier, t)) for t in TAUGHT_LABELS]
    for thread in (*askers, *teachers):
        thread.start()
    for thread in teachers:
        thread.join()
    done.set()
    for thread in askers:
        thread.join()
    assert not torn
    assert len(seen) > 2
    assert classifier.labels == classifier.bundle.labels
    assert set(classifier.taught) == set(classifier.bundle.labels[:2])


ASKER = """
import json, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from strangers import STRANGERS
from test_teaching_race import TAUGHT_LABELS, find_torn
from classification import Classifier

classifier = Classifier(Path(sys.argv[1]), taught=Path(sys.argv[2]))
features = classifier.backbone.extract(STRANGERS)
torn, seen = [], set()
print("ready", flush=True)
while "race/end" not in classifier.labels and not torn:
    torn += [entry for entry in find_torn(classifier, features) if "race/end" not in entry]
    seen.update(set(classifier.labels) & set(TAUGHT_LABELS))
print(json.dumps({"torn": torn, "seen": sorted(seen), "labels": classifier.labels}))
"""


def test_a_second_process_sees_whole_changes_only(classifier, tiny_bundle):
    assert classifier._live is not None
    path = classifier._live.store.place
    command = [sys.executable, "-c", ASKER, str(tiny_bundle), str(path), *PATHS]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            for label in TAUGHT_LABELS:
                teach_and_forget(classifier, label)
            classifier.teach("race/end", STRANGERS[3:])
            answer = json.loads(process.stdout.readline())
        finally:
            process.kill()
    assert answer["torn"] == []
    assert answer["seen"]
    assert answer["labels"] == list(classifier.labels)
