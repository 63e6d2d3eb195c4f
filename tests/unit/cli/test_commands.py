"""`python -m kyara …`, run as its user runs it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from command_line import ROOT, run_kyara
from drawings import LABELS
from PIL import Image
from videos import EXAMPLE

from kyara.cli import main


def all_commands() -> list[str]:
    return sorted(main.list_commands(click.Context(main)))


def test_every_command_and_option_has_help():
    waiting: list[click.Command] = [main]
    while waiting:
        command = waiting.pop()
        assert command.help, command.name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{command.name} {parameter.opts}"
        if isinstance(command, click.Group):
            context = click.Context(command)
            below = [command.get_command(context, name) for name in command.list_commands(context)]
            waiting += filter(None, below)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], *[[name, "--help"] for name in all_commands()]]
)
def test_help_is_printed(arguments):
    assert "Usage: " in run_kyara(*arguments).stdout


def test_identify_prints_one_json_document(tiny_bundle):
    done = run_kyara("identify", EXAMPLE, "--model", tiny_bundle, "--json", "--top-k", "2")
    document = json.loads(done.stdout)
    (image,) = document["images"]
    with Image.open(EXAMPLE) as picture:
        assert (image["width"], image["height"]) == picture.size
    assert document["model"]["name"] == "tiny"
    assert image["source"] == str(EXAMPLE)
    assert len(image["faces"]) >= 2
    for face in image["faces"]:
        assert set(face) == {"box", "verdict", "answers"}
        assert set(face["box"]) == {"x", "y", "width", "height"}
        assert len(face["answers"]) == 2


def test_identify_whole_takes_a_folder_and_prints_csv(tiny_bundle, tiny_data):
    folder = tiny_data / "aka_ribbon"
    done = run_kyara(
        "identify",
        folder,
        "--model",
        tiny_bundle,
        "--whole",
        "--csv",
        "--top-k",
        "1",
        "--language",
        "ja",
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == len(list(folder.iterdir()))
    assert rows[0]["width"] == "96"
    assert sum(row["name"] == "赤リボン" for row in rows) >= 0.9 * len(rows)


def test_identify_annotates_copies_and_never_overwrites(tiny_bundle, tmp_path):
    for _ in range(2):
        run_kyara("identify", EXAMPLE, "--model", tiny_bundle, "--annotate", tmp_path / "out")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["example-2.png", "example.png"]
    with Image.open(EXAMPLE) as before, Image.open(tmp_path / "out" / "example.png") as after:
        assert before.size == after.size
        assert before.convert("RGB").tobytes() != after.convert("RGB").tobytes()


def test_identify_reports_a_bad_picture_and_goes_on(tiny_bundle, tiny_data, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    good = tiny_data / LABELS[0] / "000.png"
    done = run_kyara("identify", broken, good, "--model", tiny_bundle, "--whole", "--json", check=False)
    assert done.returncode == 1
    assert "broken.png" in done.stderr
    assert [image["source"] for image in json.loads(done.stdout)["images"]] == [str(good)]


def test_identify_says_so_where_there_is_no_face(tiny_bundle, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("RGB", (300, 200), "white").save(blank)
    assert "no face found" in run_kyara("identify", blank, "--model", tiny_bundle).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["identify"], 2, "Missing argument"),
        (["identify", "nobody.png", "--model", "TINY", "--whole"], 1, "nobody.png"),
        (["identify", "x.png", "--model", "nowhere"], 1, "no readable model"),
        (["identify", "x.png", "--json", "--csv"], 2, "not both"),
        (["identify", "x.png", "--top-k", "0"], 2, "top-k"),
        (["identify", "EMPTY", "--model", "TINY"], 1, "no pictures"),
        (["train", "nowhere", "--name", "x"], 1, "no dataset folder"),
        (["evaluate", "TINY", "nowhere"], 1, "no dataset folder"),
        (["evaluate", "nowhere", "nowhere"], 1, "no readable model"),
        (["promote", "nobody"], 1, "no bundle nobody"),
        (["dance"], 2, "No such command"),
    ],
)
def test_bad_input_gives_one_line_and_its_status(arguments, status, message, tiny_bundle, tmp_path):
    places = {"TINY": str(tiny_bundle), "EMPTY": str(tmp_path)}
    done = run_kyara(*[places[word] if word in places else word for word in arguments], check=False)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    if status == 1:
        # LiteRT itself tells on stderr which kernels it uses
        lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO: Created")]
        assert len(lines) == 1, done.stderr


def test_evaluate_prints_json(tiny_bundle, tiny_data):
    metrics = json.loads(
        run_kyara("evaluate", tiny_bundle, tiny_data, "--split", "val", "--json").stdout
    )
    assert metrics["split"] == "val"
    assert metrics["protocol"] == "closed"


def test_importing_the_site_loads_nothing_that_learns(tiny_model_folder, tmp_path):
    config = {"MODEL_FOLDER": str(tiny_model_folder), "REPORT_FOLDER": str(tmp_path)}
    code = (
        f"import sys\nfrom app import create_app\ncreate_app({config!r})\n"
        "heavy = {'tensorflow', 'keras', 'cv2', 'sklearn', 'kyara.training', 'kyara.dataset.manifest',\n"
        " 'kyara.dataset.review.suggesting'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(ROOT), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_python_without_the_packages_is_told_what_to_do():
    bare = [sys.executable, "-S", "-m", "kyara", "operator", "create", "rin"]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"kyara: {sys.executable} has no package click, which Kyara needs")
    assert done.stderr.endswith("`.venv/bin/python -m kyara` has them.\n")
    assert done.stderr.count("\n") == 1


NOT_SERVED = ("av", "cv2", "keras", "matplotlib", "sklearn", "tensorflow")
"""What `make run` does not install."""


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (("collect", EXAMPLE, "--out", "{scratch}/inbox"), "cv2"),
        (("retrain", "--dataset", "{scratch}", "--runs", "{scratch}/runs"), "sklearn"),
        (("operator", "list"), ""),
        (("rollback", "--models", "{scratch}"), ""),
    ],
)
def test_after_make_run_the_operators_commands_work_or_say_what_to_install(
    arguments, module, tmp_path, monkeypatch
):
    """A process in which those packages cannot be imported stands for an environment without them."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({NOT_SERVED}))"
    code = f"{hide}; from kyara.cli import main; main()"
    words = [str(word).format(scratch=tmp_path) for word in arguments]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env={**os.environ, "KYARA_INSTANCE_FOLDER": str(tmp_path / "instance")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 1
    if module:
        assert done.returncode == 1
        assert f"needs the package {module}" in done.stderr
        assert "-m pip install -r requirements" in done.stderr
