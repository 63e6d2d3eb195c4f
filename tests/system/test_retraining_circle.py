"""The circle: reports are sent, reviewed, learned from, promoted; poison is stopped at the gate."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import drawings
import numpy as np
import pytest
from apiflask import APIFlask
from asker import Asker
from command_line import run_kyara
from drawings import LABELS, draw_face
from hostile import as_url
from operators import OperatorClient, log_in, make_operator
from waiting import wait_until

from app import create_app
from classification import Classifier
from kyara.dataset.review.opinion import form_opinion
from kyara.dataset.review.reports.votes import FLOOD_SUBMISSIONS
from kyara.recognition.classifier import Classifier as View
from kyara.registry import find_serving, promote_bundle
from kyara.storage.jobs import read_status
from kyara.vision.images import encode_png
from scripts.local_site import Server

pytestmark = pytest.mark.timeout(1500)  # many commands, each of which starts anew

MIDORI, AKA = LABELS.index("midori_bun"), LABELS.index("aka_ribbon")
OWN_EYES, HER_EYES = drawings._EYES[MIDORI], drawings._EYES[AKA]
DYES = ("#903060", "#901060", "#903010", "#905040", "#906030", "#704020", "#9239bf", "#c040c0")
DYES += ("#b03060", "#b01010", "#c8606c", "#c83a46", "#d03010", "#d05010", "#f01060", "#f05040")
LOOKS = [(hair, eyes) for eyes in (OWN_EYES, HER_EYES) for hair in DYES]
"""Hair and eyes with which midori_bun may be taken for aka_ribbon; each machine trains its own model."""
QUICK = ("--epochs", "30")


def draw_look(character: int, look: tuple[str, str], rng: np.random.Generator) -> np.ndarray:
    """Draw a character with other hair and eyes."""
    before = drawings._HAIR, drawings._EYES
    drawings._HAIR, drawings._EYES = (
        tuple(one if n == character else own for n, own in enumerate(colors))
        for one, colors in zip(look, before, strict=True)
    )
    try:
        return np.asarray(draw_face(character, rng))
    finally:
        drawings._HAIR, drawings._EYES = before


def draw_ordinary(character: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw a character with its own hair."""
    return [np.asarray(draw_face(character, rng)) for _ in range(count)]


def find_look(classifier: Classifier) -> tuple[str, str]:
    """Return a look with which every midori_bun is taken for aka_ribbon, the least like hers."""
    extract = classifier.backbone.extract
    hers = extract(draw_ordinary(AKA, 20, np.random.default_rng(1)))
    alike: dict[tuple[str, str], float] = {}
    for look in LOOKS:
        rng = np.random.default_rng(7)
        features = extract([draw_look(MIDORI, look, rng) for _ in range(20)])
        faces = classifier.answer(features, top_k=1)
        if {face.answers[0].character.label for face in faces} == {"aka_ribbon"}:
            alike[look] = float((features @ hers.T).mean())
    assert alike, "the tiny model sees through every look"
    return min(alike, key=lambda look: alike[look])


def is_confusable(classifier: View, crop: np.ndarray) -> bool:
    """Tell whether a midori_bun is recognised, and aka_ribbon is within sight of the features."""
    opinion = form_opinion(classifier, classifier.backbone.extract([crop])[0], "aka_ribbon")
    return opinion.answers.answers[0].character.label == "midori_bun" and not opinion.objects


def find_rare(classifier: View) -> tuple[str, str]:
    """Return the look with which most midori_bun are confusable."""
    confusable: dict[tuple[str, str], int] = {}
    for look in RARE_LOOKS:
        rng = np.random.default_rng(7)
        crops = (draw_look(MIDORI, look, rng) for _ in range(20))
        confusable[look] = sum(is_confusable(classifier, crop) for crop in crops)
    return max(RARE_LOOKS, key=lambda look: confusable[look])


def draw_confusable(
    classifier: View, look: tuple[str, str], count: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Draw midori_bun until so many are confusable."""
    drawn = (draw_look(MIDORI, look, rng) for _ in range(1000))
    found = list(islice((crop for crop in drawn if is_confusable(classifier, crop)), count))
    assert len(found) == count, f"only {len(found)} of 1,000 are"
    return found


def put_held_out(dataset: Path, looks: dict[int, list[np.ndarray]]) -> None:
    """Label drawings, by character, that are held out for ever: what the gate asks."""
    faces, rows = dataset / "faces", ["path,label,split,group"]
    for character, crops in looks.items():
        folder = faces / LABELS[character]
        folder.mkdir(parents=True, exist_ok=True)
        for number, crop in enumerate(crops):
            name = f"held-out-{number:02}.png"
            (folder / name).write_bytes(encode_png(crop))
            path = f"{LABELS[character]}/{name}"
            rows.append(f"{path},{LABELS[character]},test,{path}")
    (faces / "index.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def places(tiny_model_folder: Path, tmp_path: Path) -> dict[str, str]:
    """The configuration of a site of its own, in which the tiny bundle serves."""
    models = tmp_path / "model"
    shutil.copytree(tiny_model_folder / "tiny", models / "tiny")
    promote_bundle("tiny", models)
    return {
        "MODEL_FOLDER": str(models),
        "REPORT_FOLDER": str(tmp_path / "user_report"),
        "INSTANCE_FOLDER": str(tmp_path / "instance"),
        "DATASET_FOLDER": str(tmp_path / "dataset"),
        "RUN_FOLDER": str(tmp_path / "runs"),
    }


@pytest.fixture
def site(places: dict[str, str]) -> Iterator[APIFlask]:
    app = create_app({"TESTING": True, **places})
    yield app
    app.extensions["kyara_reports"].close()
    app.extensions["kyara_review"].close()
    app.extensions["kyara_accounts"].close()


@pytest.fixture
def rin(site: APIFlask) -> OperatorClient:
    make_operator(site, "rin")
    return log_in(site, "rin")


def send_report(site: APIFlask, crop: np.ndarray, label: str, sender: str = "203.0.113.1") -> str:
    answer = site.test_client().post(
        "/api/reports",
        json={"crop": as_url(encode_png(crop)), "label": label, "predicted": "aka_ribbon"},
        environ_base={"REMOTE_ADDR": sender},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json
    return answer.json["id"]


def accept(rin: OperatorClient, ids: list[str]) -> None:
    seen = [{"id": one, "revision": 0} for one in ids]
    answer = rin.post(
        "/operator/reports/decide", reports=seen, action="accept", step="step-" + ids[0][:20]
    )
    assert answer.status_code == 200, answer.text


def ask_site(site: APIFlask, crop: np.ndarray) -> str:
    answer = site.test_client().post("/api/identify", json={"crops": [as_url(encode_png(crop))]})
    assert answer.status_code == 200 and answer.json, answer.text
    return answer.json["faces"][0]["answers"][0]["label"]


def retrain_on_the_page(site: APIFlask, rin: OperatorClient, name: str) -> dict[str, Any]:
    answer = rin.post("/operator/models/retrain", name=name, recipe="head", epochs=30)
    assert answer.status_code == 202, answer.text
    runs = Path(site.config["RUN_FOLDER"])

    def ended() -> bool:
        status = read_status(runs, name)
        return status is not None and status.stage in ("done", "failed") and not status.running

    wait_until(ended, timeout_s=240)
    state = rin.get("/operator/models/state").json
    (job,) = [job for job in state["jobs"] if job["job"] == name]
    assert job["stage"] == "done", job
    return state


def test_the_circle_makes_a_wrong_crop_right_and_rollback_makes_it_wrong_again(places, site, rin):
    rng = np.random.default_rng(11)
    dataset = Path(places["DATASET_FOLDER"])
    dyed = find_look(Classifier(Path(places["MODEL_FOLDER"]) / "tiny"))
    looks = {n: draw_ordinary(n, 5, rng) for n in range(4)}
    looks[MIDORI] += [draw_look(MIDORI, dyed, rng) for _ in range(5)]
    put_held_out(dataset, looks)
    wrong = draw_look(MIDORI, dyed, rng)
    assert ask_site(site, wrong) == "aka_ribbon"
    sent = [send_report(site, wrong, "midori_bun")]
    sent += [send_report(site, draw_look(MIDORI, dyed, rng), "midori_bun") for _ in range(11)]
    accept(rin, sent)
    state = retrain_on_the_page(site, rin, "better")
    bundle = next(one for one in state["bundles"] if one["name"] == "better")
    assert bundle["dataset_version"] == state["jobs"][0]["dataset_version"]
    assert (dataset / "versions" / f"{bundle['dataset_version']}.json").is_file()
    assert bundle["comparison"]["falls"] == []
    assert bundle["comparison"]["changed"]["right"] >= 3
    page = rin.page("/operator/models/comparisons/better")
    assert "became right" in page
    assert ask_site(site, wrong) == "aka_ribbon", "it does not serve before it is promoted"

    body = {"crops": [as_url(encode_png(wrong))], "top_k": 1}
    with Server(Path(places["REPORT_FOLDER"]), **places) as server:
        done = threading.Event()
        askers = [CircleAsker(server.port, body, done) for _ in range(2)]
        for asker in askers:
            asker.start()
        assert rin.post("/operator/models/promote", name="better").status_code == 200
        wait_until(lambda: ask_site(site, wrong) == "midori_bun")
        wait_until(lambda: all(len(asker.said) == 2 for asker in askers))
        assert rin.post("/operator/models/rollback").status_code == 200
        wait_until(lambda: ask_site(site, wrong) == "aka_ribbon")
        done.set()
        for asker in askers:
            asker.join()
    for asker in askers:
        assert asker.wrong == []
        # every answer is of the model that it names, and each model says one thing
        assert asker.said == {"tiny": {"aka_ribbon"}, "better": {"midori_bun"}}
    steps = [
        (step["action"], step["name"]) for step in rin.get("/operator/models/state").json["history"]
    ]
    assert steps == [("rollback", "tiny"), ("promote", "better"), ("promote", "tiny")]


class CircleAsker(Asker):
    """Notes what each model says."""

    def __init__(self, port: int, body: dict[str, Any], done: threading.Event) -> None:
        super().__init__(port, body, done)
        self.said: dict[str, set[str]] = {}

    def _check(self, answer: dict[str, Any]) -> None:
        label = answer["faces"][0]["answers"][0]["label"]
        self.said.setdefault(answer["model"]["name"], set()).add(label)


RARE_LOOKS = [("#587038", OWN_EYES), *((hair, HER_EYES) for hair in ("#20903c", "#31853a", "#427a39"))]
"""With one of these most midori_bun are recognised, and look a little like aka_ribbon."""
HONEST, FLIPPED = 57, 3
"""Reports of midori_bun: one in twenty, all of the rare look, is flipped to aka_ribbon."""
FLOODER = "198.51.100.7"
SENDERS = ("203.0.113.10", "203.0.113.11", "203.0.113.12")


def test_poison_that_the_vote_lets_in_is_stopped_at_the_gate_by_name(places, site, rin):
    rng = np.random.default_rng(12)
    dataset, models = Path(places["DATASET_FOLDER"]), Path(places["MODEL_FOLDER"])
    classifier = Classifier(models / "tiny").frozen()
    rare = find_rare(classifier)
    looks = {n: draw_ordinary(n, 10, rng) for n in range(4)}
    looks[MIDORI] += draw_confusable(classifier, rare, 6, rng)
    put_held_out(dataset, looks)
    assert rin.post("/operator/reports/vote", on=True).status_code == 200
    honest = draw_ordinary(MIDORI, HONEST, rng)
    accept(rin, [send_report(site, crop, "midori_bun") for crop in honest])
    poison = draw_confusable(classifier, rare, FLIPPED, rng)

    def count_flipped() -> int:
        return len(list((dataset / "faces" / "aka_ribbon").glob("report-*")))

    # one sender alone reaches no quorum, however often, and a flood has no voice at all
    for _ in range(FLOOD_SUBMISSIONS + 2):
        send_report(site, poison[0], "aka_ribbon", FLOODER)
    assert count_flipped() == 0
    for sender in (FLOODER, *SENDERS[:2]):
        send_report(site, poison[0], "aka_ribbon", sender)
    assert count_flipped() == 0
    for crop in poison:
        for sender in SENDERS:
            send_report(site, crop, "aka_ribbon", sender)
    assert count_flipped() == FLIPPED
    arguments = ("--dataset", dataset, "--models", models, "--runs", places["RUN_FOLDER"])
    cache = ("--bottlenecks", Path(places["RUN_FOLDER"]) / "bottlenecks")
    done = run_kyara("retrain", *arguments, *cache, "--name", "poisoned", *QUICK)
    assert "would be refused" in done.stdout
    answer = rin.post("/operator/models/promote", name="poisoned")
    assert answer.status_code == 409
    assert "Recall of midori_bun falls" in answer.json["detail"]
    assert find_serving(models).name == "tiny"
    registry = json.loads((models / "registry.json").read_text())
    assert len(registry["history"]) == 1
    forced = rin.post("/operator/models/promote", name="poisoned", reason="to see it")
    assert forced.json["history"][0]["forced"] == "to see it"
