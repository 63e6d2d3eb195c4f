"""`scan`, `search` and `library` as their users run them: killed, run again, kept current."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT, run_kyara
from libraries import dump
from ray_nodes import RayNodes
from scanned import count, count_rows, draw_faces, draw_narrow
from videos import EXAMPLE
from waiting import hold_process, wait_until

from kyara.dataset.library.looking import SHARD_PICTURES
from kyara.dataset.library.opening import open_library
from kyara.dataset.library.scanning import hold_library
from kyara.recognition.pictures import cut_seen
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.images import read_image


def write(path: Path, picture: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
    return path


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    """Eight shards of pictures, one with faces in each; one is broken, one has no UTF-8 in its name."""
    folder = tmp_path_factory.mktemp("originals")
    for number in range(8 * SHARD_PICTURES - 2):
        write(folder / f"{number // SHARD_PICTURES}" / f"{number:04}.png", draw_narrow(number))
    for number in range(8):
        write(folder / f"{number}" / f"{number * SHARD_PICTURES + 9:04}.png", draw_faces(number))
    (folder / "3" / "0099.png").write_bytes(b"no picture")
    write(folder / "4" / os.fsdecode(b"\xe9t\xe9.png"), draw_faces(99))
    return folder


@pytest.fixture
def folder(originals: Path, tmp_path: Path) -> Path:
    return shutil.copytree(originals, tmp_path / "pictures", copy_function=shutil.copy2)


def scan(*arguments: str | Path, check: bool = True) -> dict:
    """Run `kyara scan`; return its summary."""
    done = run_kyara("scan", "--json", *arguments, check=check)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def whole(originals: Path, tiny_bundle_once: Path, tmp_path_factory) -> Path:
    """The library of an uninterrupted scan."""
    library = tmp_path_factory.mktemp("library") / "whole.db"
    summary = scan(originals, "--library", library, "--model", tiny_bundle_once, check=False)
    assert count(summary) == {"pictures": 255, "new": 255, "looked": 255, "failed": 1}
    return library


@pytest.fixture(scope="module")
def tiny_bundle_once(tiny_model_folder: Path) -> Path:
    return tiny_model_folder / "tiny"


def relative(library: str | Path, folder: Path) -> list:
    return [(os.path.relpath(path, folder), row, faces) for path, row, faces in dump(str(library))]


def test_a_scan_keeps_boxes_embeddings_and_answers(whole, originals, tiny_classifier):
    path, row, faces = next(one for one in dump(str(whole)) if one[0].endswith("0/0009.png"))
    pixels, calibration = read_image(Path(path)), tiny_classifier.bundle.calibration
    assert (row["height"], row["width"]) == pixels.shape[:2]
    assert row["error"] is None
    assert len(faces) >= 2
    for face in faces:
        box = Box(face["x"], face["y"], face["width"], face["height"])
        find_window = tiny_classifier.bundle.preprocessing.find_window
        crop = cut_seen(pixels, find_window(FoundFace(box, 1.0), 1.0, row["width"], row["height"]))
        features = tiny_classifier.backbone.extract([crop]).astype("<f2")
        assert face["embedding"] == features.tobytes()
        (answer,) = tiny_classifier.answer(features.astype(np.float32), top_k=1)
        assert face["status"] == answer.verdict
        # alone and among others a face's cosines are summed in another order, in float32: what they
        # are rounded by is a logit's by so much
        rounded = calibration.similarity_scale / calibration.temperature * float(np.finfo("f4").eps)
        assert face["confidence"] == pytest.approx(answer.answers[0].confidence, abs=rounded)
        assert face["label"] == (None if answer.verdict == "unknown" else answer.answers[0].label)
    broken = next(one for one in dump(str(whole)) if one[0].endswith("3/0099.png"))
    assert broken[1]["error"].startswith("This is not a picture")
    assert len(broken[1]["sha256"]) == 64


def test_a_scan_killed_three_times_leaves_what_an_uninterrupted_one_does(
    whole, originals, tiny_bundle, tmp_path
):
    library = tmp_path / "killed.db"
    common = ["scan", originals, "--library", library, "--model", tiny_bundle]
    command = [sys.executable, "-m", "kyara", *map(str, common), "--workers", "1"]
    for _ in range(3):
        before = count_rows(library)
        with hold_process(command, cwd=ROOT, stderr=subprocess.DEVNULL) as run:
            wait_until(lambda before=before: count_rows(library) > before)
            run.kill()
        assert run.returncode == -signal.SIGKILL
        assert before < count_rows(library) < 255
    rest = 255 - count_rows(library)
    summary = scan(*common[1:], check=False)
    assert (summary["looked"], summary["pictures"]) == (rest, 255)
    assert dump(str(library)) == dump(str(whole))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.db"]


def test_the_next_scan_does_not_open_a_picture(folder, tiny_bundle, tmp_path):
    library = tmp_path / "library.db"
    common = (folder, "--library", library, "--model", tiny_bundle)
    assert count(scan(*common, check=False))["new"] == 255
    before = dump(str(library))
    for path in folder.rglob("*.png"):  # whoever opens one from now on finds another content
        found = path.stat()
        path.write_bytes(b"?" * found.st_size)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert count(scan(*common)) == {"pictures": 255}  # status 0: what is broken is not tried again
    assert dump(str(library)) == before


def test_copied_moved_changed_and_vanished_pictures_are_followed(whole, folder, tiny_bundle, tmp_path):
    library = Path(shutil.copyfile(whole, tmp_path / "library.db"))
    common = (folder, "--library", library, "--model", tiny_bundle)
    copied = {"pictures": 510, "new": 255, "looked": 1, "failed": 1}  # the broken one is told again
    assert count(scan(*common, check=False)) == copied
    was = {path: faces for path, _, faces in relative(library, folder)}
    (folder / "5").rename(folder / "moved")
    shutil.rmtree(folder / "7")
    write(folder / "6" / "0200.png", draw_faces(200))
    summary = count(scan(*common))
    assert summary == {"pictures": 480, "moved": 32, "changed": 1, "looked": 1, "missing": 30}
    now = {path: faces for path, _, faces in relative(library, folder)}
    assert now.keys() == {path.replace("5/", "moved/") if path[:2] == "5/" else path for path in was}
    for path, faces in was.items():
        if path.startswith("5/"):
            assert now[path.replace("5/", "moved/")] == faces
    assert len(now["6/0200.png"]) >= 2
    assert was["6/0200.png"] == []
    assert count(scan(*common, "--forget-missing")) == {"pictures": 480, "forgotten": 30}
    assert len(dump(str(library))) == 480


def test_a_library_in_postgresql_holds_what_one_in_a_file_does(
    whole, originals, postgres_url, tiny_bundle
):
    common = (originals, "--library", postgres_url, "--model", tiny_bundle)
    summary = scan(*common, check=False)
    assert count(summary) == {"pictures": 255, "new": 255, "looked": 255, "failed": 1}
    assert dump(postgres_url) == dump(str(whole))
    assert count(scan(*common)) == {"pictures": 255}


def test_ray_leaves_what_local_processes_leave(whole, originals, tiny_bundle, tmp_path):
    library = tmp_path / "far.db"
    with RayNodes() as nodes:
        run_kyara(
            *("scan", originals, "--library", library, "--model", tiny_bundle),
            *("--engine", "ray", "--work", tmp_path / "work"),
            check=False,
            **nodes.environment,
        )
    assert dump(str(library)) == dump(str(whole))


@pytest.mark.parametrize("more", [[], ["--work", "WORK"]])
def test_two_scans_of_a_library_do_not_run_at_once(tiny_bundle, database_url, tmp_path, more):
    write(tmp_path / "pictures" / "1.png", draw_narrow(1))
    work = [str(tmp_path / "work") if one == "WORK" else one for one in more]
    common = [tmp_path / "pictures", "--library", database_url, "--model", tiny_bundle, *work]
    with open_library(database_url, new=True) as engine, hold_library(engine, database_url):
        second = run_kyara("scan", *common, check=False)
        forgetting = run_kyara("library", "forget", ".", "--library", database_url, check=False)
    for done in (second, forgetting):
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "kyara: Another scan of this library runs; wait for its end.\n"
    assert count(scan(*common)) == {"pictures": 1, "new": 1, "looked": 1}


def test_of_two_first_scans_at_once_one_works_and_the_other_says_so(tiny_bundle, database_url, tmp_path):
    write(tmp_path / "pictures" / "1.png", draw_narrow(1))
    common = ["scan", tmp_path / "pictures", "--library", database_url, "--model", tiny_bundle]
    command = [sys.executable, "-m", "kyara", *map(str, common), "--work"]
    runs = [
        subprocess.Popen([*command, tmp_path / name], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    told = [run.communicate()[1] for run in runs]
    assert 0 in [run.returncode for run in runs]
    for run, said in zip(runs, told, strict=True):
        assert run.returncode == 0 or said.endswith("runs; wait for its end.\n"), said
    assert len(dump(database_url)) == 1


def test_a_work_folder_with_other_things_in_it_is_refused(tiny_bundle, tmp_path):
    picture = write(tmp_path / "pictures" / "1.png", draw_narrow(1))
    common = ("scan", picture.parent, "--library", tmp_path / "library.db", "--model", tiny_bundle)
    done = run_kyara(*common, "--work", picture.parent, check=False)
    assert (done.returncode, "has other things in it" in done.stderr) == (1, True)
    assert [path.name for path in picture.parent.iterdir()] == ["1.png"]


def test_a_folder_that_is_gone_is_told_until_it_is_forgotten(tiny_bundle, tmp_path):
    library, folders = tmp_path / "library.db", [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders):
        write(folder / "1.png", draw_narrow(number))
    common = ("--library", library, "--model", tiny_bundle, "--forget-missing")
    scan(*folders, *common)
    shutil.rmtree(folders[0])
    write(folders[1] / "2.png", draw_narrow(2))
    done = run_kyara("scan", *common, "--json", check=False)
    assert (done.returncode, f"The folder {folders[0]} cannot be read" in done.stderr) == (1, True)
    told = {"pictures": 3, "new": 1, "failed": 1, "looked": 1}
    assert count(json.loads(done.stdout)) == told  # nothing of it is missing, let alone forgotten
    folders[0].mkdir()
    assert count(scan(*common, check=False)) == {"pictures": 3, "failed": 1}  # no disk is mounted there
    folders[0].rmdir()
    done = run_kyara("library", "forget", folders[0], "--library", library)
    assert done.stdout == "1 pictures were forgotten.\n"
    assert count(scan(*common)) == {"pictures": 2}
    done = run_kyara("library", "forget", folders[0], "--library", library, check=False)
    assert (done.returncode, "is no folder that was scanned" in done.stderr) == (1, True)


def test_search_and_show_tell_who_is_where(whole, originals, tiny_bundle):
    shown = json.loads(run_kyara("library", "show", "--library", whole, "--json").stdout)
    assert (shown["folders"], shown["pictures"]) == ([str(originals)], 255)
    assert shown["faces"] == shown["known"] + shown["probably"] + shown["unknown"] >= 18
    face = ("search", "--face", EXAMPLE, "--model", tiny_bundle, "--library", whole)
    pictures = json.loads(run_kyara(*face, "--json", "--limit", "9").stdout)["pictures"]
    assert len(pictures) == 9
    assert pictures[0]["similarity"] >= pictures[-1]["similarity"] > 0.5
    assert any("\\xe9t\\xe9.png" in picture["path"] for picture in pictures)
    for entry in shown["characters"]:
        done = run_kyara("search", entry["name"] or entry["label"], "--library", whole)
        lines = done.stdout.splitlines()
        assert len(lines) == entry["pictures"]
        confident = [float(line.split()[0]) for line in lines]
        assert confident == sorted(confident, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["search", "nobody at all", "--library", "WHOLE"], 1, "Nobody in this library is called"),
        (["search", "--library", "WHOLE"], 2, "Give CHARACTER, --with or --work; or --face."),
        (["search", "x", "--face", "x.png", "--library", "WHOLE"], 2, "or --face"),
        (["search", "--face", "x", "--min-confidence", "0.5"], 2, "--min-confidence is of names"),
        (["search", "x", "--library", "none.db"], 1, "There is no library none.db"),
        (["library", "show", "--library", "none.db"], 1, "There is no library none.db"),
        (["scan", "--library", "none.db"], 1, "There is no library none.db"),
        (["scan", "nowhere"], 2, "does not exist"),
        (["scan", ".", "--engine", "ray"], 2, "--engine ray needs --work"),
        (["scan", ".", "--library", "mysql+nothing://x/y"], 1, "cannot be opened"),
        (["scan", ".", "--level", "99", "--library", "WHOLE"], 1, "The level must be"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(whole, arguments, status, message):
    filled = [argument.replace("WHOLE", str(whole)) for argument in arguments]
    done = run_kyara(*filled, check=False)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr


def test_another_model_answers_again_and_only_another_network_looks_again(whole, tiny_bundle, tmp_path):
    library = tmp_path / "library.db"
    shutil.copyfile(whole, library)
    again = shutil.copytree(tiny_bundle, tmp_path / "again")
    manifest = json.loads((again / "bundle.json").read_text())
    manifest["calibration"]["temperature"] *= 2
    (again / "bundle.json").write_text(json.dumps(manifest))
    done = run_kyara("scan", "--library", library, "--model", again, "--json")
    assert "are answered again, without their pictures" in done.stderr
    assert count(json.loads(done.stdout)) == {"pictures": 255}
    before, after = dump(str(whole)), dump(str(library))
    assert [row for _, row, _ in after] == [row for _, row, _ in before]
    confident = [
        [face["confidence"] for _, _, faces in one for face in faces] for one in (before, after)
    ]
    assert confident[0] != confident[1]
    manifest["preprocessing"]["margin"] = 1.5
    (again / "bundle.json").write_text(json.dumps(manifest))
    done = run_kyara("scan", "--library", library, "--model", again, "--json", check=False)
    assert "255 picture(s) were seen by another network" in done.stderr
    assert json.loads(done.stdout)["looked"] == 255


def test_a_watched_folder_is_kept_current(tiny_bundle, tmp_path):
    folder, library = tmp_path / "pictures", tmp_path / "pictures" / "library.db"
    write(folder / "a" / "1.png", draw_narrow(1))
    common = ["scan", folder, "--watch", "--library", library, "--model", tiny_bundle]
    command = [sys.executable, "-m", "kyara", *map(str, common)]

    def list_there() -> list[str]:
        if not count_rows(library):
            return []
        return [path for path, row, _ in relative(library, folder) if row["missing_since"] is None]

    with hold_process(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watch:
        wait_until(lambda: list_there() == ["a/1.png"])
        write(folder / "b" / "2.png", draw_narrow(2))
        wait_until(lambda: list_there() == ["a/1.png", "b/2.png"])
        (folder / "b").rename(folder / "c.d")
        wait_until(lambda: list_there() == ["a/1.png", "c.d/2.png"])
        write(folder / "3.png", draw_narrow(3))
        wait_until(lambda: list_there() == ["3.png", "a/1.png", "c.d/2.png"])
        shutil.rmtree(folder / "c.d")
        (folder / "a" / "1.png").unlink()
        wait_until(lambda: list_there() == ["3.png"])
        watch.send_signal(signal.SIGINT)
        summaries, _ = watch.communicate()
    assert watch.returncode == 130
    assert summaries.count("pictures looked at") < 10  # what it writes itself wakes it not
