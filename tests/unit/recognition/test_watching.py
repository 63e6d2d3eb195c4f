"""Who appears when in a video: tracks, smoothing, what is written, what is drawn."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import astuple
from pathlib import Path

import av
import numpy as np
import pytest
from command_line import run_kyara
from PIL import Image
from videos import read_example, slide_example, write_video

from classification import Classifier
from kyara.errors import BadInputError
from kyara.recognition.people.annotating import check_target
from kyara.recognition.people.formats import format_webvtt
from kyara.recognition.people.video import Person, watch_video
from kyara.recognition.pictures import find_faces
from kyara.vision.boxes import Box, measure_overlap
from kyara.vision.detectors.base import open_detector
from kyara.vision.drawing import BoxLabel, choose_font, draw_labels
from kyara.vision.tracking import BRIDGE_S, Detection, Tracker
from kyara.vision.video import VideoInfo, describe_video, read_frames

A, B = np.eye(2, dtype=np.float32)


def see(tracker: Tracker, time_s: float, *faces: tuple[Box, np.ndarray]) -> None:
    detections = [Detection(time_s, box) for box, _ in faces]
    features = np.array([feature for _, feature in faces]) if faces else np.zeros((0, 2))
    tracker.add(detections, features)


def test_measure_overlap_is_worked_out_by_hand():
    assert measure_overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert measure_overlap(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == 0


def test_tracker_follows_each_face_in_any_order():
    tracker = Tracker()
    for n in range(5):
        faces = [(Box(10 * n, 0, 50, 50), A), (Box(200 - 10 * n, 0, 50, 50), B)]
        see(tracker, n / 5, *faces[:: 1 if n % 2 else -1])
    assert [len(track.detections) for track in tracker.tracks] == [5, 5]
    assert all(track.mean.max() == 1 for track in tracker.tracks)


def test_tracker_bridges_a_missed_face_and_says_where_it_was():
    tracker = Tracker()
    see(tracker, 0.0, (Box(0, 0, 40, 40), A))
    see(tracker, 0.2)
    see(tracker, 0.4, (Box(20, 8, 48, 40), A))
    (track,) = tracker.tracks
    assert track.find_box(0.2) == Box(10, 4, 44, 40)
    assert track.find_box(9) == Box(20, 8, 48, 40)
    see(tracker, 0.4 + BRIDGE_S + 0.1, (Box(20, 8, 48, 40), A))
    assert len(tracker.tracks) == 2


def test_tracker_tells_another_face_in_the_same_place():
    tracker = Tracker()
    see(tracker, 0.0, (Box(0, 0, 40, 40), A))
    see(tracker, 0.2, (Box(0, 0, 40, 40), B))
    assert len(tracker.tracks) == 2


def test_tracker_follows_a_face_that_laughs_in_its_place_only():
    tracker = Tracker()
    laughing = np.array([0.3, 0.95], np.float32)
    see(tracker, 0.0, (Box(0, 0, 40, 40), A))
    see(tracker, 0.2, (Box(2, 0, 40, 40), laughing))
    see(tracker, 0.4, (Box(15, 0, 40, 40), A))
    assert [len(track.detections) for track in tracker.tracks] == [2, 1]


def test_tracker_follows_a_fast_face_by_its_looks_but_not_across_the_picture():
    tracker = Tracker()
    see(tracker, 0.0, (Box(0, 0, 40, 40), A))
    see(tracker, 0.2, (Box(50, 0, 40, 40), A))
    see(tracker, 0.4, (Box(400, 0, 40, 40), A))
    assert [len(track.detections) for track in tracker.tracks] == [2, 1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Sixteen frames with sound: three faces that move, and shake in brightness."""
    rng = np.random.default_rng(3)
    frames = [
        np.clip(frame * rng.uniform(0.4, 1.3) + rng.normal(0, 14, frame.shape), 0, 255).astype(np.uint8)
        for frame in slide_example(16, 6)
    ]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames, rate=8, sound=True)


def make_sure(bundle: Path) -> Classifier:
    """Return a classifier that takes nobody for a stranger, so that every face has a name."""
    from dataclasses import replace

    from kyara.recognition.bundle import load_bundle

    loaded = load_bundle(bundle)
    calibration = replace(loaded.calibration, familiarity_threshold=-1e9)
    return Classifier(replace(loaded, calibration=calibration))


def test_watch_video_gives_each_face_one_name(clip, tiny_bundle):
    watched = watch_video(clip, make_sure(tiny_bundle), every_s=0.125, level=0)
    assert len(watched.times_s) == 16
    assert len(watched.people) == 3
    assert all(person.name for person in watched.people)
    with_tracks, alone = watched.count_changes()
    print(with_tracks, alone)
    assert with_tracks <= 4
    assert alone > with_tracks
    assert sum(watched.alone, Counter()).total() >= 36


def test_watch_video_is_the_one_inference_path(clip, tiny_bundle):
    classifier = make_sure(tiny_bundle)
    watched = watch_video(clip, classifier, every_s=0.5, level=0)
    for person in watched.people:
        (answers,) = classifier.answer(person.track.mean[None])
        assert [a.label for a in person.answers.answers] == [a.label for a in answers.answers]
        apart = person.answers.answers[0].confidence - answers.answers[0].confidence
        assert abs(apart) < 1e-5  # a product of matrices of another shape


def test_watch_video_tells_what_is_left_of_one_that_is_cut_short(clip, tiny_bundle, tmp_path):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    watched = watch_video(cut, make_sure(tiny_bundle), every_s=0.25, level=0)
    assert "cut short" in watched.problem
    assert 0 < watched.duration_s < 2
    assert watched.people


@pytest.mark.parametrize("bars", [(60, 90, 0, 0), (0, 0, 80, 48)])
def test_watch_video_is_the_same_within_bars_and_with_a_dark_scene(tiny_bundle, tmp_path, bars):
    top, bottom, left, right = bars
    frames = [np.maximum(frame, 40) for frame in slide_example(6, 6)]
    dark = np.zeros_like(frames[0])
    dark[150:180, 60:] = 50  # alone it would look like a picture between bars
    frames = [dark, dark, dark, *frames]
    barred = [np.pad(frame, ((top, bottom), (left, right), (0, 0))) for frame in frames]
    classifier = make_sure(tiny_bundle)
    plain, found = (
        watch_video(write_animation(tmp_path / name, shown), classifier, every_s=0.125)
        for name, shown in (("plain.png", frames), ("barred.png", barred))
    )
    assert len(plain.people) >= 3
    assert (found.info.width, found.info.height) == barred[0].shape[1::-1]
    assert (found.times_s, found.alone) == (plain.times_s, plain.alone)
    for one, other in zip(plain.people, found.people, strict=True):
        assert one.answers == other.answers
        boxes = [Box(b.x + left, b.y + top, b.width, b.height) for b in list_boxes(one)]
        assert list_boxes(other) == boxes


def test_watch_video_looks_at_all_of_a_passage_without_bars_between_the_samples(tiny_bundle, tmp_path):
    full = np.maximum(read_example(480), 40)
    frames = []
    for number in range(64):  # every fourth is a sample
        frame = full.copy() if number in (5, 6, 7) else np.zeros_like(full)
        frame[-60:, :60] = 60 + number  # a frame like the last one would not be written
        frames.append(frame)
    classifier = make_sure(tiny_bundle)
    watched = watch_video(write_animation(tmp_path / "clip.png", frames), classifier, every_s=0.125)
    with open_detector() as finder:
        whole = find_faces(frames[5], finder, classifier.bundle.preprocessing.find_window)
    assert len(whole.boxes) >= 3
    assert sorted(map(astuple, whole.boxes)) == sorted(
        astuple(list_boxes(person)[0]) for person in watched.people
    )


def test_watch_video_looks_at_frames_of_another_size_as_they_are(tiny_bundle, tmp_path, monkeypatch):
    from kyara.recognition.people import video

    monkeypatch.setattr(video, "describe_video", lambda source: VideoInfo(9, 9, 0.5, None, False))
    path = write_animation(tmp_path / "clip.png", slide_example(4, 6))
    assert len(watch_video(path, make_sure(tiny_bundle), every_s=0.125).people) >= 3


def write_animation(path: Path, frames: list[np.ndarray]) -> Path:
    """Write frames without loss, eight a second."""
    first, *others = map(Image.fromarray, map(np.ascontiguousarray, frames))
    first.save(path, save_all=True, append_images=others, duration=125)
    return path


def list_boxes(person: Person) -> list[Box]:
    return [detection.box for detection in person.track.detections]


@pytest.fixture(scope="module")
def identified(clip, tiny_model_folder, tmp_path_factory):
    """What `identify` wrote of the clip: the folder, and the document."""
    folder = tmp_path_factory.mktemp("identified")
    out = ("--annotate", folder / "out.mp4", "--webvtt", folder / "out.vtt")
    options = ("--model", tiny_model_folder / "tiny", "--level", "0", "--every", "0.25")
    done = run_kyara("identify", clip, *options, *out, "--json")
    return folder, json.loads(done.stdout), done.stderr


def test_identify_tells_who_appears_when_as_json(identified, clip):
    _, document, said = identified
    video = document["video"]
    assert (video["source"], video["duration_s"]) == (str(clip), pytest.approx(2.0, abs=0.1))
    assert len(video["tracks"]) == 3
    for track in video["tracks"]:
        assert 0 <= track["start_s"] < track["end_s"] <= video["duration_s"]
        assert set(track["boxes"][0]) == {"time_s", "x", "y", "width", "height"}
    known = {t["answers"][0]["label"] for t in video["tracks"] if t["verdict"] == "known"}
    assert {person["label"] for person in video["people"]} == known
    assert "times as fast as it plays" in said


def test_identify_draws_every_frame_and_keeps_the_sound(identified, clip):
    folder, document, _ = identified
    path = folder / "out.mp4"
    before, after = list(read_frames(clip)), list(read_frames(path))
    assert [round(frame.time_s, 3) for frame in after] == [frame.time_s for frame in before]
    changed = np.abs(before[8].pixels.astype(int) - after[8].pixels[: before[8].pixels.shape[0]]).max(
        axis=2
    )
    for track in document["video"]["tracks"]:
        box = min(track["boxes"], key=lambda box: abs(box["time_s"] - before[8].time_s))
        assert changed[box["y"] : box["y"] + 3, box["x"] : box["x"] + box["width"]].max() > 60
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        sound = [frame.to_ndarray() for frame in container.decode(audio=0)]
    assert np.abs(np.concatenate(sound, axis=1)).max() > 0.1
    assert describe_video(path).duration_s == pytest.approx(2.0, abs=0.15)
    assert [entry.name for entry in sorted(folder.iterdir())] == ["out.mp4", "out.vtt"]


def test_identify_writes_webvtt(identified):
    folder, document, _ = identified
    text = (folder / "out.vtt").read_text()
    assert text.startswith("WEBVTT\n")
    assert text.count(" --> ") == sum(len(p["spans"]) for p in document["video"]["people"])


def test_identify_takes_an_animation_of_odd_size_and_prints_csv(tiny_bundle, tmp_path):
    frames = [frame[:-1, :-1] for frame in slide_example(4)]
    source = write_video(tmp_path / "small.gif", frames, rate=5)
    out = tmp_path / "out.webm"
    done = run_kyara(
        "identify", source, "--model", tiny_bundle, "--level", "0", "--csv", "--annotate", out
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows
    assert float(rows[0]["end_s"]) > 0
    info = describe_video(out)
    assert (info.width, info.height) == tuple(n + 1 for n in frames[0].shape[1::-1])
    assert len(list(read_frames(out))) == 4
    again = run_kyara("identify", source, "--model", tiny_bundle, "--annotate", out, check=False)
    assert (again.returncode, "exists already" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{clip}", "{clip}", "--webvtt", "x.vtt"], "one video at a time"),
        (["{clip}", "{picture}", "--webvtt", "x.vtt"], "give pictures, or one video"),
        (["{picture}", "--engine", "ray"], "needs --work"),
        (["{picture}", "--webvtt", "x.vtt"], "is for a video"),
    ],
)
def test_identify_refuses_what_does_not_go_together(clip, arguments, message):
    from videos import EXAMPLE

    filled = [argument.format(clip=clip, picture=EXAMPLE) for argument in arguments]
    done = run_kyara("identify", *filled, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_check_target_refuses_other_endings(tmp_path):
    with pytest.raises(BadInputError, match=r"OUT\.mp4 or OUT\.webm; received out\.avi"):
        check_target(tmp_path / "out.avi")


def test_format_webvtt_is_worked_out_by_hand():
    spans = [{"start_s": 3661.5, "end_s": 3662.0}, {"start_s": 1.0, "end_s": 2.25}]
    video = {"people": [{"name": "A <b> --> & c", "spans": spans}]}
    assert format_webvtt(video) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.250\nA &lt;b&gt; --&gt; &amp; c\n\n"
        "01:01:01.500 --> 01:01:02.000\nA &lt;b&gt; --&gt; &amp; c\n"
    )


@pytest.mark.parametrize(("text", "language"), [("Miku 9%", "en"), ("初音ミク", "ja"), ("红丝带", "zh")])
def test_draw_labels_writes_in_any_script_or_in_latin_letters(text, language):
    _, written = choose_font(text, 14, language)
    assert written == text or written.isascii()
    pixels = read_example(200)
    drawn = draw_labels(pixels, [BoxLabel(Box(40, 40, 50, 50), text, True)], language)
    assert drawn.shape == pixels.shape
    assert drawn[40, 41].tolist() == [10, 125, 90]
    assert (np.abs(drawn.astype(int) - pixels).max(axis=2) > 0).sum() > 600
