"""`collect`: faces of videos in the inbox, whatever interrupts it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT, run_kyara
from inboxes import read_all
from PIL import Image
from scenes import draw_scene
from videos import EXAMPLE, read_example, slide_example, write_sound, write_video

from kyara.dataset.collect import Inbox, Settings, collect_source, list_sources
from kyara.dataset.review.labelling import LabelJournal, name_face
from kyara.errors import BadInputError, BusyError
from kyara.vision.boxes import Box, scale_box, widen_box
from kyara.vision.detectors.lbp_cascade import CascadeDetector
from kyara.vision.phash import NEIGHBOURS, Memory, Seen

FIRST_LEVEL = ("--level", "0", "--detector", "cascade")
"""The quickest way of the cascade that finds the three faces of the example."""


def read_manifest(inbox: Path) -> list[dict]:
    return [json.loads(line) for line in (inbox / "manifest.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def moving(tmp_path_factory) -> Path:
    """Twelve frames in which three faces move, then the same faces in another colour."""
    frames = slide_example(8)
    return write_video(tmp_path_factory.mktemp("moving") / "moving.mp4", frames, rate=4)


@pytest.fixture(scope="module")
def collected(moving, tmp_path_factory) -> Path:
    """The inbox of an uninterrupted run that keeps every face."""
    inbox = tmp_path_factory.mktemp("collected") / "inbox"
    run_collect(moving, inbox)
    return inbox


def run_collect(source: Path, inbox: Path, *more: str, check: bool = True):
    return run_kyara(
        "collect",
        source,
        "--out",
        inbox,
        "--every",
        "0.25",
        "--near-bits",
        "0",
        *FIRST_LEVEL,
        *more,
        check=check,
    )


def test_collect_keeps_each_face_with_where_it_is_from(moving, collected):
    entries = read_manifest(collected)
    assert len(entries) >= 16
    digest = hashlib.sha256(moving.read_bytes()).hexdigest()
    import av

    with av.open(str(moving)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert sorted(path.name for path in collected.glob("*.png")) == sorted(e["file"] for e in entries)
    for entry in entries:
        assert list(entry) == [
            *("file", "sha256", "source", "source_sha256", "time_s", "frame"),
            *("box", "detector", "score"),
        ]
        data = (collected / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        assert (entry["source"], entry["source_sha256"]) == (str(moving), digest)
        assert entry["time_s"] == pytest.approx(entry["frame"] / 4)
        assert (entry["detector"], entry["score"] > 0) == ("cascade", True)
        box = Box(**entry["box"])
        with Image.open(collected / entry["file"]) as face:
            assert face.size == (box.width, box.height)
            shown = frames[entry["frame"]][box.y : box.y + box.height, box.x : box.x + box.width]
            apart = np.abs(np.asarray(face).astype(int) - shown)
        assert apart.mean() < 2  # another way of scaling colours
    assert {entry["frame"] for entry in entries} == set(range(8))


def test_collect_killed_and_run_again_equals_an_uninterrupted_run(moving, collected, tmp_path):
    inbox = tmp_path / "inbox"
    faces = len(read_manifest(collected))
    for share in (0.2, 0.6):
        kill_at(moving, inbox, round(faces * share))
    left = read_manifest(inbox)
    assert 0 < len(left) < faces
    run_collect(moving, inbox)
    assert read_all(inbox) == read_all(collected)


def kill_at(source: Path, inbox: Path, lines: int) -> None:
    """Run `collect` and kill it once the manifest has so many lines."""
    command = [sys.executable, "-m", "kyara", "collect", source, "--out", inbox, "--every", "0.25"]
    process = subprocess.Popen(
        [*map(str, command), "--near-bits", "0", *FIRST_LEVEL],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    manifest = inbox / "manifest.jsonl"
    while not (manifest.exists() and manifest.read_bytes().count(b"\n") >= lines):
        assert process.poll() is None, "It ended before it was killed."
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("step", ["half a line", "lines without faces", "faces without the note"])
def test_collect_goes_on_from_between_any_two_steps(moving, collected, tmp_path, step):
    inbox = tmp_path / "inbox"
    with Inbox.hold(inbox) as held:
        settings = Settings(every_s=0.25, near_bits=0, level=0)
        frames = iter(range(3))

        def stop(time_s: float) -> None:
            if next(frames, None) is None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            collect_source(moving, held, settings, CascadeDetector(), stop)
    whole = (collected / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    done = (inbox / "manifest.jsonl").read_bytes()
    next_line = whole[done.count(b"\n")]
    with (inbox / "manifest.jsonl").open("ab") as file:
        file.write(next_line[:50] if step == "half a line" else next_line)
    name = json.loads(next_line)["file"]
    (inbox / f".{name}.99.partial").write_bytes(b"half a face")
    (inbox / ".preparing.json.99.partial").write_bytes(b"another program's")
    if step == "faces without the note":
        (inbox / name).write_bytes((collected / name).read_bytes())
    run_collect(moving, inbox)
    (inbox / ".preparing.json.99.partial").unlink()
    assert read_all(inbox) == read_all(collected)


def test_collect_again_changes_nothing(moving, collected):
    before = read_all(collected)
    document = json.loads(run_collect(moving, collected, "--json").stdout)
    assert read_all(collected) == before
    assert document["frames"] == document["with_faces"] == 8
    assert document["kept"] == len(read_manifest(collected))
    assert document["sources"][0]["done"] is True


def test_collect_leaves_alone_what_was_labelled(moving, collected, tmp_path):
    inbox = tmp_path / "inbox"
    run_collect(moving, inbox)
    first, second, *_ = [name_face(entry["file"]) for entry in read_manifest(inbox)]
    journal = LabelJournal(tmp_path)
    journal.accept([first], "hatsune_miku", "tester")
    journal.accept([second], "not_a_face", "tester")
    journal.close()
    for path in (inbox / ".collecting").glob("*.json"):
        path.unlink()  # as though other settings were used
    (inbox / "manifest.jsonl").unlink()
    run_collect(moving, inbox)
    assert not (inbox / f"{first}.png").exists()
    assert not (inbox / f"{second}.png").exists()
    assert (inbox / "manifest.jsonl").read_bytes() == (collected / "manifest.jsonl").read_bytes()
    assert len(list(inbox.glob("*.png"))) == len(read_manifest(inbox)) - 2


def test_collect_reports_each_bad_source_in_one_line_and_goes_on(moving, collected, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "cut.mp4").write_bytes(moving.read_bytes()[: moving.stat().st_size // 2])
    (folder / "text.mp4").write_text("no video\n" * 100)
    write_sound(folder / "sound.mp4")
    (folder / "whole.mp4").write_bytes(moving.read_bytes())
    done = run_collect(folder, tmp_path / "inbox", check=False)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("kyara: ")]
    assert len(lines) == 3
    for name, message in {
        "cut.mp4": "cut short",
        "text.mp4": "is not a video",
        "sound.mp4": "has sound only",
    }.items():
        assert [message in line for line in lines if f"{name}: " in line] == [True]
    faces = [e for e in read_manifest(tmp_path / "inbox") if e["source"].endswith("whole.mp4")]
    assert len(faces) == len(read_manifest(collected))


def test_collect_drops_look_alikes_of_neighbouring_frames(tmp_path):
    still = write_video(tmp_path / "still.mp4", [slide_example(1)[0]] * 6, rate=4)
    options = ("--every", "0.25", "--out", tmp_path / "inbox", *FIRST_LEVEL, "--json")
    document = json.loads(run_kyara("collect", still, *options).stdout)
    assert (document["frames"], document["with_faces"]) == (6, 6)
    assert document["kept"] < document["found"] / 4


def test_collect_keeps_halves_and_the_whole_if_asked(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.png").write_bytes(EXAMPLE.read_bytes())
    inbox = tmp_path / "inbox"
    run_kyara("collect", tmp_path / "in", "--out", inbox, "--left-right-full", "--longest", "480")
    entries = read_manifest(inbox)
    parts = {entry["detector"]: entry for entry in entries if entry["score"] is None}
    assert list(parts) == ["left", "right", "full"]
    with Image.open(EXAMPLE) as image:
        width, height = image.size
    full = Box(**parts["full"]["box"])
    assert (full.x, full.y) == (0, 0)
    assert abs(full.width - width) <= 2
    assert abs(full.height - height) <= 2
    left, right = Box(**parts["left"]["box"]), Box(**parts["right"]["box"])
    assert left.x == 0
    assert abs(right.x + right.width - width) <= 2
    with Image.open(inbox / parts["full"]["file"]) as image:
        assert max(image.size) == 480
    assert sum(entry["detector"] == "network" for entry in entries) >= 2


def test_collect_says_what_cannot_be(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run_kyara("collect", tmp_path / "empty", "--out", tmp_path / "inbox", check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"kyara: {tmp_path / 'empty'} has no video and no picture.\n",
    )
    both = ("--every", "1", "--scenes", "0.3")
    assert run_kyara("collect", EXAMPLE, "--out", tmp_path, *both, check=False).returncode == 2


def test_inbox_is_held_by_one_collector(tmp_path):
    with Inbox.hold(tmp_path / "inbox"), pytest.raises(BusyError, match="Another collector"):
        with Inbox.hold(tmp_path / "inbox"):
            pass
    with Inbox.hold(tmp_path / "inbox"):
        pass


def test_list_sources_takes_files_folders_and_patterns_once(tmp_path):
    for name in ("b.MP4", "a.gif", "notes.txt", "deep/c.mkv", "deep/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = ["a.gif", "b.MP4", "deep/c.mkv", "deep/d.png"]
    assert list_sources([tmp_path]) == [tmp_path / name for name in names]
    assert list_sources([tmp_path / "**" / "*.mkv"]) == [tmp_path / "deep" / "c.mkv"]
    assert list_sources([tmp_path / "b.MP4", tmp_path]) == [
        tmp_path / n for n in ("b.MP4", "a.gif", *names[2:])
    ]
    assert list_sources([tmp_path / "absent.mp4"]) == [tmp_path / "absent.mp4"]
    with pytest.raises(BadInputError, match="has no video"):
        list_sources([tmp_path / "*.webm"])


def test_widen_box_adds_a_share_on_each_side_and_stays_inside():
    assert widen_box(Box(100, 50, 40, 20), 0.25, 300, 200) == Box(90, 45, 60, 30)
    assert widen_box(Box(5, 0, 40, 20), 0.5, 50, 200) == Box(0, 0, 50, 30)
    assert widen_box(Box(5, 6, 40, 20), 0, 50, 200) == Box(5, 6, 40, 20)


def test_scale_box_brings_a_box_back_to_the_source():
    assert scale_box(Box(10, 20, 30, 40), 0.5) == Box(20, 40, 60, 80)
    assert scale_box(Box(10, 20, 30, 40), 1) == Box(10, 20, 30, 40)


def test_memory_forgets_after_some_frames_and_survives_as_json():
    one, other = draw_scene(1), draw_scene(2)
    memory = Memory(40)
    assert memory.is_new(one, "cascade", 0)
    assert memory.is_new(other, "cascade", 1)
    assert not memory.is_new(one, "cascade", 1 + NEIGHBOURS - 1)
    assert memory.is_new(one, "full", 12)
    kept = json.loads(json.dumps([face.to_json() for face in memory.seen]))
    memory = Memory(40, [Seen.from_json(data) for data in kept])
    assert not memory.is_new(one, "cascade", 12)
    assert memory.is_new(one, "cascade", 13 + NEIGHBOURS)
    assert Memory(0).is_new(one, "cascade", 0)


def test_read_example_is_what_these_tests_count_on():
    assert len(CascadeDetector().find(read_example(560), level=0)) >= 2
