"""Evaluation: what each protocol teaches, asks and hides, and what it says of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from drawings import LABELS, draw_face, write_dataset
from PIL import Image
from sklearn.metrics import f1_score, roc_auc_score
from tagger import make_tagger, write_tagged_faces
from videos import EXAMPLE

from classification import Classifier
from kyara.dataset.manifest import Face, Manifest, read_manifest
from kyara.dataset.tagged import read_tagged
from kyara.errors import BadInputError
from kyara.evaluation.boxes import measure_boxes, propose_boxes
from kyara.evaluation.measuring import (
    list_confusions,
    measure_answers,
    measure_characters,
    measure_works,
)
from kyara.evaluation.protocols import Options, choose_split, find_unknowns, plan_tasks
from kyara.evaluation.queries import Answered, ask
from kyara.evaluation.running import count_faces, evaluate_bundle
from kyara.evaluation.tagging import evaluate_tags, measure_baselines
from kyara.recognition.bundle import Calibration
from kyara.vision.alterations import ALTERATIONS
from kyara.vision.boxes import Box, Window
from kyara.vision.images import encode_png, read_image


def make_face(name: str, split: str = "novel", kind: str = "art", role: str = "other") -> Face:
    """Return a face of the character before the dot: `miku.1`."""
    return Face(Path("data") / f"{name}.png", name.partition(".")[0], split, name, "", kind, role)


def make_manifest(*faces: Face) -> Manifest:
    return Manifest((Path("data"),), faces)


CAST = make_manifest(
    make_face("miku.icon", role="reference"),
    make_face("miku.1"),
    make_face("miku.2", kind="sticker"),
    make_face("miku.3", kind="sticker"),
    make_face("miku.4"),
    make_face("rin.icon", role="reference"),
    make_face("rin.other", role="reference"),
    make_face("rin.1", kind="sticker"),
    make_face("luka.1"),
    make_face("luka.2"),
    make_face("kaito.1", split="test"),
)


def names(faces) -> list[str]:
    return [face.path.stem for face in faces]


def test_one_shot_teaches_each_official_reference_and_asks_the_rest():
    (task,) = plan_tasks(CAST, Options("one-shot", draws=5))
    assert {label: names(faces) for label, faces in task.references.items()} == {
        "miku": ["miku.icon"],
        "rin": ["rin.icon"],
    }
    assert names(task.queries) == ["miku.1", "miku.2", "miku.3", "miku.4", "rin.1"]


def test_one_shot_asks_one_kind_and_still_teaches_everybody():
    (task,) = plan_tasks(CAST, Options("one-shot", kind="art"))
    assert set(task.references) == {"miku", "rin"}
    assert names(task.queries) == ["miku.1", "miku.4"]


def test_few_shot_leaves_a_face_of_the_kind_to_ask():
    for seed in range(20):
        (task,) = plan_tasks(CAST, Options("few-shot", kind="art", references=3, seed=seed))
        taught = names(task.references["miku"])
        assert taught[0] == "miku.icon"
        assert len(taught) == 3
        # rin has but one face beside two icons: taught as far as there are faces, never asked
        assert {face.label for face in task.queries} == {"miku"}
        assert not set(taught) & set(names(task.queries))
        assert {face.kind for face in task.queries} == {"art"}


def test_few_shot_draws_the_kind_of_its_references():
    options = Options("few-shot", references=3, reference_kind="sticker", draws=10)
    (task,) = plan_tasks(CAST, options)
    assert sorted(names(task.references["miku"])) == ["miku.2", "miku.3", "miku.icon"]


def test_the_seed_decides_who_is_drawn():
    options = Options("few-shot", references=2)
    assert plan_tasks(CAST, options) == plan_tasks(CAST, options)
    draws = plan_tasks(CAST, replace(options, draws=20))
    assert len({names(task.references["miku"])[1] for task in draws}) > 1


def test_a_dataset_without_roles_gives_one_face_of_each_as_reference():
    faces = [make_face(f"{who}.{n}", split="test", role="") for who in ("a", "b") for n in range(4)]
    (task,) = plan_tasks(make_manifest(*faces), Options("one-shot"))
    assert {label: len(own) for label, own in task.references.items()} == {"a": 1, "b": 1}
    assert len(task.queries) == 6


def test_who_has_nothing_left_to_ask_is_not_asked():
    faces = (make_face("a.1"), make_face("b.1"), make_face("b.2"))
    manifest = make_manifest(*(replace(face, role="") for face in faces))
    (task,) = plan_tasks(manifest, Options("one-shot"))
    assert set(task.references) == {"a", "b"}
    assert {face.label for face in task.queries} == {"b"}


@pytest.mark.parametrize(
    ("options", "split"),
    [
        (Options(), "test"),
        (Options("open-set"), "test"),
        (Options("one-shot"), "novel"),
        (Options("few-shot", split="test"), "test"),
    ],
)
def test_the_split_that_is_asked(options, split):
    assert choose_split(CAST, options) == split


def test_without_a_novel_split_the_test_split_is_taught():
    assert choose_split(make_manifest(make_face("a.1", split="test")), Options("one-shot")) == "test"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(split="nowhere"), "nowhere"),
        (Options(split="novel", kind="photo"), "photo"),
        (Options("one-shot", split="test"), "left to ask"),
        (Options("few-shot", references=9), "9 faces to teach"),
    ],
)
def test_a_protocol_that_cannot_be_asked_is_refused(options, message):
    with pytest.raises(BadInputError, match=message):
        plan_tasks(CAST, options)


def test_strangers_of_a_dataset_are_its_drawings_and_all_its_characters():
    (group,) = find_unknowns(None, CAST, "novel", "art")
    assert sorted(path.stem for path in group.paths) == ["luka.1", "luka.2", "miku.1", "miku.4"]
    assert group.labels == {"miku", "rin", "luka"}
    assert group.name == "data, novel"


def test_a_folder_without_strangers_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="no pictures"):
        find_unknowns(tmp_path)


def make_answered(predicted: list[str], truth: list[str], labels: tuple[str, ...]) -> Answered:
    """Return answers that are two logits surer of one label than of any other."""
    scores = 2 * np.eye(len(labels), dtype=np.float32)[[labels.index(label) for label in predicted]]
    return Answered(
        tuple(make_face(f"{label}.{n}") for n, label in enumerate(truth)),
        labels,
        np.array([labels.index(label) for label in truth]),
        np.zeros((len(truth), 2), np.float32),
        scores,
        np.full_like(scores, np.nan),
        scores.max(axis=1),
        Calibration(1.0, 1.0),
    )


PEOPLE = ("a/x", "a/y", "b/x", "solo")
TRUTH = ["a/x", "a/x", "a/y", "b/x", "b/x", "b/x"]
SAID = ["a/x", "a/y", "a/y", "b/x", "a/x", "a/x"]


def test_the_numbers_of_a_case_worked_by_hand():
    metrics = measure_answers(make_answered(SAID, TRUTH, PEOPLE))
    assert metrics["top1"] == 0.5
    assert (metrics["queries"], metrics["characters"], metrics["ranked_characters"]) == (6, 3, 4)
    oracle = f1_score(TRUTH, SAID, average="macro", labels=["a/x", "a/y", "b/x"])
    assert metrics["macro_f1"] == pytest.approx(oracle, abs=1e-4)
    # every answer has the confidence e² / (e² + 3), and half of them are right
    confidence = np.exp(2) / (np.exp(2) + 3)
    assert metrics["ece"] == pytest.approx(confidence - 0.5, abs=1e-4)
    # every open-set score is 2, the threshold 1
    assert metrics["known_accepted"] == 1


def test_mistakes_are_listed_by_how_often_they_are_made():
    confidence = round(float(np.exp(2) / (np.exp(2) + 3)), 4)
    assert list_confusions(make_answered(SAID, TRUTH, PEOPLE)) == [
        {"label": "b/x", "taken_for": "a/x", "count": 2, "share": 0.6667, "confidence": confidence},
        {"label": "a/x", "taken_for": "a/y", "count": 1, "share": 0.5, "confidence": confidence},
    ]


def test_averages_of_each_work():
    works = measure_works(make_answered(SAID, TRUTH, PEOPLE))
    assert set(works) == {"a", "b"}
    assert works["a"]["characters"] == 2
    assert works["a"]["top1"] == pytest.approx(2 / 3, abs=1e-4)
    assert works["b"]["macro_f1"] == 0.5


def test_each_character_has_its_numbers_and_thresholds():
    found = measure_characters(make_answered(SAID, TRUTH, PEOPLE))
    assert set(found) == {"a/x", "a/y", "b/x"}
    assert found["b/x"]["precision"] == 1
    assert found["b/x"]["recall"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["b/x"]["support"] == 3
    assert set(found["a/x"]["best_thresholds"]) == {"top", "gap", "spread"}


def test_a_model_that_makes_no_mistake_is_measured():
    metrics = measure_answers(make_answered(TRUTH, TRUTH, PEOPLE))
    assert metrics["top1"] == 1
    assert metrics["details"]["confusions"] == []
    assert metrics["details"]["thresholds"]["top"]["auroc"] is None


# ── with a model ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def cast(tmp_path_factory) -> Path:
    """Drawn faces with an index: `novel` has an icon and two drawings of each, `test` two more."""
    folder = tmp_path_factory.mktemp("cast")
    rng = np.random.default_rng(3)
    rows = ["path,label,work,split,kind,role"]
    for character, label in enumerate(LABELS):
        (folder / "drawn" / label).mkdir(parents=True)
        for number in range(5):
            path = f"drawn/{label}/{number}.png"
            draw_face(character, rng).save(folder / path)
            split = "novel" if number < 3 else "test"
            role = "reference" if number == 0 else "other"
            rows.append(f"{path},{label},Drawn,{split},{'art' if number < 2 else 'sketch'},{role}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_closed_measures_what_the_classifier_answers(tiny_classifier, tiny_data):
    manifest = read_manifest(tiny_data)
    steps: list[int] = []
    evaluation = evaluate_bundle(tiny_classifier, manifest, Options(), progress=steps.append)
    metrics = evaluation.metrics
    faces = manifest.of_split("test")
    assert sum(steps) == count_faces(manifest, Options()) == len(faces) == metrics["queries"]
    answers = tiny_classifier.identify(read_image(face.path) for face in faces)
    right = [one.answers[0].label == face.label for one, face in zip(answers, faces, strict=True)]
    assert metrics["top1"] == pytest.approx(np.mean(right), abs=1e-4)
    known = [one.verdict == "known" for one in answers]
    assert metrics["known_accepted"] == pytest.approx(np.mean(known), abs=1e-4)
    assert metrics["protocol"] == "closed"
    assert metrics["auroc"] is None
    assert metrics["model_version"] == tiny_classifier.bundle.version
    assert list(metrics)[-1] == "details"
    json.dumps(metrics)


def test_measuring_twice_gives_the_same(tiny_classifier, tiny_data):
    first, second = (
        evaluate_bundle(tiny_classifier, read_manifest(tiny_data), Options(split="val")).metrics
        for _ in range(2)
    )
    assert {**first, "latency_ms": 0} == {**second, "latency_ms": 0}


def test_one_shot_knows_nothing_but_what_it_is_taught(tiny_classifier, cast, tmp_path):
    """With the icons of two characters exchanged they are taken for each other."""
    pairs = {f"drawn/{label}": label for label in LABELS}
    folder = tmp_path / "cast"
    shutil.copytree(cast, folder)
    icons = [folder / "drawn" / label / "0.png" for label in LABELS[:2]]
    first, second = (icon.read_bytes() for icon in icons)
    icons[0].write_bytes(second)
    icons[1].write_bytes(first)
    wrong = 0
    for root, expected in ((cast, False), (folder, True)):
        manifest = rename(read_manifest(root), pairs)
        evaluation = evaluate_bundle(tiny_classifier, manifest, Options("one-shot"))
        assert evaluation.metrics["taught_characters"] == 4
        assert evaluation.metrics["references"] == 1
        assert evaluation.metrics["ranked_characters"] == len(LABELS)
        taken = {
            (entry["label"], entry["taken_for"]) for entry in evaluation.metrics["details"]["confusions"]
        }
        wrong += ((LABELS[0], LABELS[1]) in taken) == expected
    assert wrong == 2


def rename(manifest: Manifest, pairs: dict[str, str]) -> Manifest:
    faces = tuple(replace(face, label=pairs[face.label]) for face in manifest.faces)
    return replace(manifest, faces=faces)


def test_one_shot_ranks_among_everybody(tiny_classifier, cast):
    """The new characters come beside those of the model."""
    metrics = evaluate_bundle(
        tiny_classifier, read_manifest(cast), Options("one-shot", kind="art")
    ).metrics
    assert metrics["ranked_characters"] == 2 * len(LABELS)
    assert metrics["queries"] == 4
    assert metrics["split"] == "novel"


def test_few_shot_averages_its_draws(tiny_classifier, cast):
    options = Options("few-shot", references=2, draws=3)
    metrics = evaluate_bundle(tiny_classifier, read_manifest(cast), options).metrics
    assert 1 < len(metrics["draws"]) <= 3
    assert metrics["top1"] == pytest.approx(
        np.mean([draw["top1"] for draw in metrics["draws"]]), abs=1e-4
    )
    assert metrics["top1_interval"][0] <= metrics["top1"] <= metrics["top1_interval"][1]


def test_open_set_takes_the_strangers_out_of_the_model(tiny_classifier, tiny_data):
    """Faces of a known character are strangers to a model that has forgotten it."""
    manifest = read_manifest(tiny_data)
    asked = manifest.having(lambda face: face.label in LABELS[:2])
    others = manifest.having(lambda face: face.label in LABELS[2:])
    unknowns = find_unknowns(None, others, "test")
    evaluation = evaluate_bundle(tiny_classifier, asked, Options("open-set"), unknowns=unknowns)
    served, without = evaluation.metrics["details"]["open_set"]
    assert (served["gallery"], without["gallery"]) == (True, False)
    assert set(evaluation.separations[0].taken_for) <= set(LABELS[:2])
    assert evaluation.metrics["auroc"] == served["auroc"]
    assert evaluation.metrics["unknown_queries"] == len(others.of_split("test"))
    # the numbers of one state of the model are those of scikit-learn
    one = evaluation.separations[0]
    truth = np.repeat([1, 0], [len(one.known), len(one.unknown)])
    oracle = roc_auc_score(truth, np.concatenate([one.known, one.unknown]))
    assert served["auroc"] == pytest.approx(oracle, abs=1e-4)
    # who is asked is still ranked among everybody
    assert evaluation.metrics["ranked_characters"] == len(LABELS)


def test_strangers_are_measured_apart_and_together(tiny_classifier, tiny_data, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 90, 90, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    manifest = read_manifest(tiny_data)
    known = manifest.having(lambda face: face.label != LABELS[3])
    gone = manifest.having(lambda face: face.label == LABELS[3])
    unknowns = find_unknowns(tmp_path, gone, "val")
    metrics = evaluate_bundle(tiny_classifier, known, Options(), unknowns=unknowns).metrics
    assert metrics["unknown_queries"] == 6 + len(gone.of_split("val"))
    assert [one["unknown_queries"] for one in metrics["details"]["open_set"]] == [
        6,
        len(gone.of_split("val")),
    ]
    assert 0 <= metrics["unknown_rejected"] <= 1


def test_contradictions_are_refused(tiny_classifier, tiny_data):
    manifest = read_manifest(tiny_data)
    with pytest.raises(BadInputError, match="needs strangers"):
        evaluate_bundle(tiny_classifier, manifest, Options("open-set"))
    with pytest.raises(BadInputError, match="cannot be left out"):
        evaluate_bundle(tiny_classifier, manifest, Options("one-shot", gallery=False))
    with pytest.raises(BadInputError, match="shown as a stranger"):
        unknowns = find_unknowns(None, manifest, "val")
        evaluate_bundle(tiny_classifier, manifest, Options(), unknowns=unknowns)


def test_characters_that_the_model_does_not_know_are_refused(tiny_classifier, tmp_path):
    data = write_dataset(tmp_path / "data", 12)
    (data / LABELS[0]).rename(data / "stranger")
    with pytest.raises(BadInputError, match="stranger"):
        evaluate_bundle(tiny_classifier, read_manifest(data), Options(split="train"))


def test_a_broken_picture_is_named(tiny_classifier, tmp_path):
    data = write_dataset(tmp_path / "data", 12)
    broken = data / LABELS[0] / "000.png"
    manifest = read_manifest(data)
    broken.write_bytes(b"no picture")
    split = next(face.split for face in manifest.faces if face.path == broken)
    with pytest.raises(BadInputError, match=r"000\.png"):
        evaluate_bundle(tiny_classifier, manifest, Options(split=split))


def test_boxes_are_measured_where_there_is_exactly_one(tiny_classifier, tiny_data):
    faces = read_manifest(tiny_data).of_split("val")[:4]
    answered = ask(tiny_classifier, faces, tiny_classifier.look(read_image(f.path) for f in faces))
    whole, part = Window(Box(0, 0, 96, 96)), Window(Box(10, 10, 70, 70))
    measured, cut = measure_boxes(tiny_classifier, answered, [[whole], [], [whole, part], [part]])
    assert (measured["pictures"], measured["without_a_box"], measured["with_several"]) == (4, 1, 1)
    assert measured["queries"] == 2
    assert cut is not None
    assert cut.answered.scores[0] == pytest.approx(answered.scores[0])
    assert cut.answered.scores[1] != pytest.approx(answered.scores[3])
    assert measure_boxes(tiny_classifier, answered, [[], [], [], []])[1] is None


def test_bars_around_a_picture_change_no_box_that_is_measured(tiny_classifier, tmp_path):
    faces, found = [], []
    picture = np.maximum(read_image(EXAMPLE), 40)
    for name, bars in (("plain", ((0, 0), (0, 0))), ("barred", ((90, 40), (300, 11)))):
        path = tmp_path / f"{name}.png"
        path.write_bytes(encode_png(np.pad(picture, (*bars, (0, 0)))))
        faces.append(Face(path, LABELS[0], "drawn", "val"))
        (windows,) = propose_boxes(tiny_classifier, faces[-1:], None)
        found.append(windows)
    assert len(found[0]) >= 3
    moved = [Window(replace(w.box, x=w.box.x + 300, y=w.box.y + 90), w.roll_deg) for w in found[0]]
    assert found[1] == moved
    answered = ask(tiny_classifier, faces, tiny_classifier.look([picture, picture]))
    for one, other in zip(*found, strict=True):
        _, cut = measure_boxes(tiny_classifier, answered, [[one], [other]])
        assert cut is not None
        assert np.array_equal(cut.answered.scores[0], cut.answered.scores[1])


# ── several labels ───────────────────────────────────────────────────────────────────────────────────


def test_blind_answers_of_a_case_worked_by_hand():
    # two labels, in training in 80% and 20%; of four pictures 3 have the first, 1 has the second
    truth = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], bool)
    found = measure_baselines(np.array([0.8, 0.2]), truth)
    # drawn: expected hits 3 × 0.8 and 1 × 0.2 of 3.2 and 0.8 answers
    assert found["drawn"]["micro_f1"] == pytest.approx(2 * 2.6 / (4 + 4), abs=1e-4)
    assert found["drawn"]["macro_f1"] == pytest.approx((4.8 / 6.2 + 0.4 / 1.8) / 2, abs=1e-4)
    # the first label alone promises 2 × 0.8 / 2; both promise 2 × 1 / 3
    assert found["most_frequent"] == {"micro_f1": 0.75, "macro_f1": pytest.approx(0.4286, abs=1e-4)}
    said = np.ones((4, 2), bool)
    for average in ("micro", "macro"):
        oracle = f1_score(truth, said, average=average)
        assert found["every_label"][f"{average}_f1"] == pytest.approx(oracle, abs=1e-4)


@pytest.fixture(scope="module")
def tagged_folder(tmp_path_factory) -> Path:
    return write_tagged_faces(tmp_path_factory.mktemp("tagged"))


def test_several_labels_are_measured_as_the_classifier_gives_them(tiny_classifier, tagged_folder):
    tagger = make_tagger(tiny_classifier, tagged_folder)
    data = read_tagged(tagged_folder)
    evaluation = evaluate_tags(tagger, data, "test")
    said = [
        {answer.label for answer in one.answers} if one.verdict == "known" else set()
        for one in tagger.identify(
            (np.asarray(Image.open(path)) for path in evaluation.paths), top_k=len(data.labels)
        )
    ]
    assert [set(np.array(evaluation.labels)[row]) for row in evaluation.predicted] == said
    for average in ("micro", "macro"):
        oracle = f1_score(evaluation.truth, evaluation.predicted, average=average, zero_division=0)  # pyright: ignore[reportArgumentType]
        assert evaluation.metrics[f"{average}_f1"] == pytest.approx(oracle, abs=1e-4)
    blind = max(one["micro_f1"] for one in evaluation.metrics["baselines"].values())
    assert evaluation.metrics["micro_f1"] > blind
    assert evaluation.metrics["details"]["labels"]["red_hair"]["training_frequency"] == 0.25
    json.dumps(evaluation.metrics)


def test_other_labels_than_the_models_are_refused(tiny_classifier, tagged_folder, tmp_path):
    tagger = make_tagger(tiny_classifier, tagged_folder)
    folder = tmp_path / "other"
    shutil.copytree(tagged_folder, folder)
    table = folder / "table.csv"
    table.write_text(table.read_text().replace("Marked", "Striped"))
    with pytest.raises(BadInputError, match="marked, striped"):
        evaluate_tags(tagger, read_tagged(folder), "test")


# ── the command ──────────────────────────────────────────────────────────────────────────────────────


def test_the_command_writes_metrics_and_a_report(tiny_bundle, tiny_data, tmp_path):
    arguments = ["evaluate", tiny_bundle, tiny_data, "--split", "val", "--out", tmp_path / "out"]
    printed = json.loads(run_kyara(*arguments, "--json").stdout)
    assert printed == json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert {
        "top1",
        "top5",
        "macro_f1",
        "ece",
        "auroc",
        "queries",
        "characters",
        "protocol",
        "split",
    } <= set(printed)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    # the command that measured it, without where things lie on this machine
    assert f"python -m kyara evaluate tiny {tiny_data.name} --split val" in page
    assert str(tiny_data.parent) not in page


def test_the_command_saves_protocols_side_by_side(tiny_bundle, tiny_data, cast, tmp_path):
    bundle = tmp_path / "tiny"
    shutil.copytree(tiny_bundle, bundle)
    out = ["--out", tmp_path / "out"]
    run_kyara("evaluate", bundle, cast, "--protocol", "one-shot", "--save-under", "one-shot", *out)
    run_kyara("evaluate", bundle, tiny_data, "--save", *out)
    stored = json.loads((bundle / "metrics.json").read_text())
    assert stored["protocol"] == "closed"
    assert stored["further"]["one-shot"]["protocol"] == "one-shot"
    assert "details" not in stored["further"]["one-shot"]
    assert Classifier(bundle).bundle.version == stored["model_version"]


def test_the_command_takes_other_labels_for_the_models(tiny_bundle, cast, tmp_path):
    pairs = tmp_path / "same.json"
    pairs.write_text(json.dumps({f"drawn/{label}": label for label in LABELS}))
    out = ["--out", tmp_path / "out", "--json"]
    metrics = json.loads(run_kyara("evaluate", tiny_bundle, cast, "--same-as", pairs, *out).stdout)
    assert metrics["queries"] == 2 * len(LABELS)
    refused = run_kyara("evaluate", tiny_bundle, cast, *out, check=False)
    assert refused.returncode == 1
    assert "--same-as" in refused.stderr
    pairs.write_text("[")
    refused = run_kyara("evaluate", tiny_bundle, cast, "--same-as", pairs, check=False)
    assert refused.returncode == 1
    assert "same.json" in refused.stderr


def test_altered_crops_are_measured_beside_the_crops_as_they_are(tiny_classifier, tiny_data):
    manifest = read_manifest(tiny_data)
    options, steps = Options(robust=True), []
    metrics = evaluate_bundle(tiny_classifier, manifest, options, progress=steps.append).metrics
    table = metrics["details"]["robustness"]
    assert list(table) == ["as it is", *ALTERATIONS]
    plain = table["as it is"]
    assert (plain["top1"], plain["known_accepted"]) == (metrics["top1"], metrics["known_accepted"])
    assert sum(steps) == count_faces(manifest, options)
    # the drawn faces of the tests differ in colour alone, so grey must cost something
    assert table["grey"]["top1"] < plain["top1"]
    assert all(row["named_wrongly"] <= 1 - row["top1"] + 1e-4 for row in table.values())
