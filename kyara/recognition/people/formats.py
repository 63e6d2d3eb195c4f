"""Who appears when: as a JSON document, CSV, WebVTT and text."""

from __future__ import annotations

import io
from typing import Any

from kyara.recognition.classifier import Classifier
from kyara.recognition.people.video import VideoFaces
from kyara.storage.cells import write_rows
from kyara.vision.tracking import BRIDGE_S


def describe_video_people(watched: VideoFaces, classifier: Classifier, language: str) -> dict[str, Any]:
    """Return a video as the JSON document has it: its tracks, and its people with all their spans."""
    tracks = []
    for number, person in enumerate(watched.people, start=1):
        span = {"start_s": round(person.start_s, 3), "end_s": round(person.end_s, 3)}
        detections = person.track.detections
        boxes = [{"time_s": round(s.time_s, 3), **s.box.to_json()} for s in detections]
        answers = classifier.describe(person.answers, language)
        tracks.append({"track": number, **span, **answers, "boxes": boxes})
    return {
        "source": str(watched.source),
        "width": watched.info.width,
        "height": watched.info.height,
        "duration_s": round(watched.duration_s, 3),
        "frames": len(watched.times_s),
        "people": _join_spans(tracks),
        "tracks": tracks,
    }


def _join_spans(tracks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the known people, in order of appearance; spans that nearly touch are one."""
    people: dict[str, dict[str, Any]] = {}
    for track in tracks:
        if track["verdict"] != "known":
            continue
        best = track["answers"][0]
        entry = {name: best[name] for name in ("label", "name", "work")} | {"spans": []}
        spans = people.setdefault(best["label"], entry)["spans"]
        if spans and track["start_s"] - spans[-1]["end_s"] <= BRIDGE_S:
            spans[-1]["end_s"] = max(spans[-1]["end_s"], track["end_s"])
        else:
            spans.append({"start_s": track["start_s"], "end_s": track["end_s"]})
    return list(people.values())


def format_csv(video: dict[str, Any]) -> str:
    """Return one row a track, the best answer in it."""
    text = io.StringIO()
    columns = ("label", "name", "work", "confidence", "similarity")
    rows: list[list[object]] = [["source", "track", "start_s", "end_s", "verdict", *columns]]
    for track in video["tracks"]:
        best = track["answers"][0] if track["answers"] else {}
        head = [video["source"], track["track"], track["start_s"], track["end_s"], track["verdict"]]
        rows.append([*head, *(best.get(name) for name in columns)])
    write_rows(text, rows)
    return text.getvalue()


def format_webvtt(video: dict[str, Any]) -> str:
    """Return WebVTT: one cue for each span of each known person.

    Source: https://www.w3.org/TR/webvtt1/
    """
    cues = [
        (span["start_s"], span["end_s"], person["name"])
        for person in video["people"]
        for span in person["spans"]
        if span["end_s"] > span["start_s"]
    ]
    blocks = ["WEBVTT"]
    for start, end, name in sorted(cues):
        safe = " ".join(name.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_format_time(start)} --> {_format_time(end)}\n{safe}")
    return "\n\n".join(blocks) + "\n"


def _format_time(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{thousandths:03}"


def format_text(video: dict[str, Any]) -> str:
    """Return what a person reads: one line for each span of each known person."""
    lines = [f"{video['source']}: {len(video['people'])} known, {len(video['tracks'])} track(s)"]
    for person in video["people"]:
        work = f" — {person['work']}" if person["work"] else ""
        for span in person["spans"]:
            start, end = _format_time(span["start_s"])[:-2], _format_time(span["end_s"])[:-2]
            lines.append(f"  {start} to {end}  {person['name']}{work}")
    unknown = [track for track in video["tracks"] if track["verdict"] != "known"]
    lines += [
        f"  {_format_time(t['start_s'])[:-2]} to {_format_time(t['end_s'])[:-2]}  {t['verdict']}"
        for t in unknown
    ]
    return "\n".join(lines)
