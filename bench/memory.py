"""From the start to the first answer, and memory under ten thousand requests."""

from __future__ import annotations

import statistics
import subprocess
import time
import urllib.request
from typing import Any

import numpy as np

from bench.load import make_bodies
from bench.pictures import CROP_PX, draw_crop
from bench.rivals import prepare_rivals
from bench.sites import (
    list_processes,
    measure_resident_mb,
    read_clients,
    serve,
    serve_seeds_way,
    start_clients,
)
from classification import Classifier

REQUESTS = 10_000
LONGEST_S = 230
STARTS = 3
SAMPLE_S = 0.5
TAIL = 0.1
"""Share of the samples whose median stands for the middle and for the end."""


def measure(quick: bool) -> dict[str, Any]:
    """Measure starts, then memory."""
    starts = [_time_start() for _ in range(1 if quick else STARTS)]
    return {
        "first_answer_s": round(statistics.median(starts), 2),
        "rival_first_answer_s": None if quick else round(_time_rival_start(), 2),
        **_watch_memory(200 if quick else REQUESTS, 5 if quick else LONGEST_S),
    }


def _time_start() -> float:
    (body,) = make_bodies(1, "PNG", CROP_PX)[:1]
    started = time.perf_counter()
    with serve(wait=False) as server:
        _post(server.url, body)
        return time.perf_counter() - started


def _time_rival_start() -> float:
    classifier = Classifier()
    crop = np.asarray(draw_crop(0))
    folder = prepare_rivals(classifier.bundle, classifier.backbone.fingerprint, crop)
    (body,) = make_bodies(1, "PNG", CROP_PX)[:1]
    started = time.perf_counter()
    with serve_seeds_way(folder) as url:
        _post(url, body)
        return time.perf_counter() - started


def _post(url: str, body: bytes) -> None:
    """Ask once, from this process: starting a client would take longer than starting the site."""
    question = urllib.request.Request(f"{url}/api/identify", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(question, timeout=120) as answer:
        answer.read()


def _watch_memory(requests: int, seconds: float) -> dict[str, Any]:
    with serve() as server:
        idle = measure_resident_mb(server.process)
        clients = start_clients(
            server.url, clients=8, crops=1, side=128, requests=requests, seconds=seconds
        )
        samples = []
        while clients.poll() is None:
            samples.append(measure_resident_mb(server.process))
            try:
                clients.wait(SAMPLE_S)
            except subprocess.TimeoutExpired:
                continue
        seen = read_clients(clients)
        tensorflow = any(
            "site-packages/tensorflow/" in mapping.path
            for process in list_processes(server.process)
            for mapping in process.memory_maps()
        )
    count = max(1, round(len(samples) * TAIL))
    half = len(samples) // 2
    middle = statistics.median(samples[half : half + count] or samples)
    end = statistics.median(samples[-count:])
    return {
        "requests": seen["served"],
        "failed": seen["failed"],
        "crops_a_second": seen["crops_a_second"],
        "idle_mb": round(idle, 1),
        "middle_mb": round(middle, 1),
        "end_mb": round(end, 1),
        "growth_percent": round(100 * (end / middle - 1), 2),
        "curve_mb": [round(value, 1) for value in samples[:: max(1, len(samples) // 60)]],
        "tensorflow_loaded": tensorflow,
    }


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the measurements into sentences."""
    rival = data["rival_first_answer_s"]
    first = f"From the start of the process to the first answer: {data['first_answer_s']} s"
    if rival:
        ratio = rival / data["first_answer_s"]
        first += (
            f"; the seed's way (TensorFlow, two sessions) needs {rival} s, {ratio:.0f} times as long"
        )
    return [
        f"{first}.",
        "",
        f"Resident memory: {data['idle_mb']:.0f} MB before the first request, {data['middle_mb']:.0f} "
        f"MB after half of {data['requests']:,} requests (8 clients, one crop each), "
        f"{data['end_mb']:.0f} MB at the end: {data['growth_percent']:+.1f}% in the second half. "
        f"{data['failed']} requests failed. TensorFlow is "
        f"{'' if data['tensorflow_loaded'] else 'not '}loaded by the site.",
    ]
