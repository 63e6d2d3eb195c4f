"""The network: crops → answers or features, beside the same weights elsewhere.

Each number of threads is measured in a process of its own that may use so many cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kyara  # noqa: F401  (before NumPy, whose threads it settles)

BATCHES = (1, 5, 32)
REPEATS = {1: 15, 5: 5, 32: 2}
THREADS = (1, 2)
SEED, KERAS, FUNCTION = "the seed's way", "keras.Model.predict", "tf.function"
SEED_ITSELF = "the seed itself: one view of 299 px"
OURS = "Kyara: PNG to answers"
INT8, FLOAT32 = "LiteRT int8", "LiteRT float32"
VINO_FLOAT32, VINO_INT8 = "OpenVINO float32", "OpenVINO int8"
ORDER = (SEED_ITSELF, SEED, KERAS, FUNCTION, FLOAT32, VINO_FLOAT32, VINO_INT8, INT8, OURS)


def measure(quick: bool) -> dict[str, Any]:
    """Measure all ways at all batch sizes and numbers of threads."""
    from bench.pictures import draw_crop
    from bench.rivals import prepare_rivals
    from classification import Classifier

    classifier = Classifier()
    import numpy as np

    folder = prepare_rivals(classifier.bundle, classifier.backbone.fingerprint, np.asarray(draw_crop(0)))
    preprocessing = classifier.bundle.preprocessing
    runs = {}
    for threads in THREADS[-1:] if quick else THREADS:
        command = [sys.executable, "-m", "bench.network", str(folder), "--threads", str(threads)]
        done = subprocess.run(
            command + ["--quick"] * quick, capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
        runs[str(threads)] = json.loads(done.stdout.splitlines()[-1])
    return {
        "model": classifier.bundle.name,
        "input_px": preprocessing.input_px,
        "views": len(preprocessing.views),
        "ms_a_crop": {threads: run["ms_a_crop"] for threads, run in runs.items()},
        "not_measured": next(iter(runs.values()))["not_measured"],
        "same_features": next(iter(runs.values()))["same_features"],
    }


def measure_here(folder: Path, threads: int, quick: bool) -> dict[str, Any]:
    """Measure in this process, which is held to `threads` cores."""
    import numpy as np

    from bench.pictures import draw_crop, encode_crop
    from bench.timing import measure_ms

    files = [encode_crop(draw_crop(seed)) for seed in range(BATCHES[-1])]
    ways, missing = build_ways(folder, threads)
    table: dict[str, dict[str, float]] = {}
    for name, way in ways.items():
        row = table[name] = {}
        for batch in BATCHES[:1] if quick else BATCHES:
            slow = name in (SEED, SEED_ITSELF)
            if slow and batch > (5 if name == SEED else 1):
                continue  # one picture after the other: minutes for nothing new
            repeats = 1 if quick else REPEATS[batch]
            warm_up = not slow or batch == 1
            if slow:
                repeats = min(repeats, 2 if batch == 1 else 1)
            took = measure_ms(lambda n=batch, w=way: w(files[:n]), repeats, warm_up=warm_up)[0]
            row[str(batch)] = round(took / batch, 2)
    others = (OURS, SEED_ITSELF)
    features = {name: way(files[:1]) for name, way in ways.items() if name not in others}
    exact = features[KERAS]
    cosines = {name: float(np.ravel(one) @ np.ravel(exact)) for name, one in features.items()}
    norm = float(np.ravel(exact) @ np.ravel(exact))
    return {
        "ms_a_crop": table,
        "not_measured": missing,
        "same_features": {name: round(cosine / norm, 4) for name, cosine in cosines.items()},
    }


Way = Callable[[list[bytes]], Any]


def build_ways(folder: Path, threads: int) -> tuple[dict[str, Way], dict[str, str]]:
    """Return every way from PNG files to features (ours: to answers), and why some are missing.

    The rivals get their crops ready made: only the seed's way and ours decode and scale them.
    """
    import numpy as np

    from bench import rivals
    from classification import Classifier
    from kyara.recognition.backbone import Backbone, prepare_crop
    from kyara.vision.images import decode_image

    classifier = Classifier(threads=threads)
    preprocessing = classifier.bundle.preprocessing
    ready: dict[bytes, np.ndarray] = {}
    decoded: dict[bytes, np.ndarray] = {}

    def decode(data: bytes) -> np.ndarray:
        if data not in decoded:
            decoded[data] = decode_image(data)
        return decoded[data]

    def prepare(data: bytes) -> np.ndarray:
        if data not in ready:
            ready[data] = prepare_crop(decode(data), preprocessing)
        return ready[data]

    def average(features: np.ndarray) -> np.ndarray:
        return np.reshape(features, (-1, len(preprocessing.views), features.shape[-1])).mean(axis=1)

    network = rivals.load_keras(folder)
    import tensorflow as tf

    function: Any = tf.function(network, reduce_retracing=True)
    seed = rivals.SeedsWay(folder / rivals.GRAPH, preprocessing)
    itself = rivals.SeedsWay(folder / rivals.SEED_GRAPH, rivals.as_the_seed(preprocessing))
    float32 = Backbone(folder / rivals.FLOAT32, preprocessing, threads=threads)
    ways: dict[str, Way] = {
        SEED_ITSELF: lambda files: np.stack([itself.extract(data) for data in files]),
        SEED: lambda files: np.stack([seed.extract(data) for data in files]),
        KERAS: lambda files: average(
            network.predict(np.concatenate([prepare(data) for data in files]), verbose=0)
        ),
        FUNCTION: lambda files: average(
            function(tf.constant(np.concatenate([prepare(data) for data in files]))).numpy()
        ),
        FLOAT32: lambda files: float32.extract([decode(data) for data in files]),
    }
    missing: dict[str, str] = {}
    for name, file in ((VINO_FLOAT32, rivals.FLOAT32), (VINO_INT8, rivals.VINO_INT8)):
        try:
            run = rivals.load_openvino(folder / file, threads)
        except RuntimeError as error:
            missing[name] = str(error).strip().splitlines()[-1][:200]
            continue
        ways[name] = lambda files, run=run: average(
            np.stack([run(view) for data in files for view in prepare(data)])
        )
    ways[INT8] = lambda files: classifier.backbone.extract([decode(data) for data in files])
    ways[OURS] = lambda files: classifier.identify(decode_image(data) for data in files)
    return ways, missing


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the measurements into tables."""
    views = data["views"]
    lines = [
        f"Model `{data['model']}`, Inception-v3 at {data['input_px']} px. A crop is shown to the "
        f"network in {views} views: every row but the first does {views} runs of the network (or one "
        f"of {views} pictures) a crop. Only the seed's way and Kyara's row start from PNG files (256 "
        "px); the others get decoded or ready-made input. Milliseconds a crop, median.",
        "",
        "| way | threads | 1 crop | 5 crops | 32 crops | Kyara is faster at 1 crop |",
        "|---|---|---|---|---|---|",
    ]
    for threads, table in data["ms_a_crop"].items():
        for name in ORDER:
            if name not in table:
                continue
            row = table[name]
            ratio = row["1"] / table[OURS]["1"]
            cells = " | ".join(f"{row[str(batch)]:,}" if str(batch) in row else "" for batch in BATCHES)
            lines.append(f"| {name} | {threads} | {cells} | {ratio:,.1f} times |")
    lines.append("")
    lines.append(
        "*The seed's way* decodes each picture with TensorFlow in a new graph and a new session, and "
        "runs"
    )
    lines.append("the network in another new session; its graph is read once, which favours it.")
    lines.append(
        "OpenVINO's int8 is of weights and activations, calibrated on drawn faces: good for a time, "
        "not for answers."
    )
    for name, reason in data["not_measured"].items():
        lines.append(f"{name} was not measured: {reason}")
    same = ", ".join(f"{name} {cosine:.3f}" for name, cosine in data["same_features"].items())
    lines += ["", f"Cosine of each way's features to those of Keras, for one crop: {same}."]
    return lines


def main() -> None:
    """Measure one number of threads; the last line of the output is JSON."""
    parser = argparse.ArgumentParser(description=measure_here.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    print(json.dumps(measure_here(options.folder, options.threads, options.quick)))


if __name__ == "__main__":
    main()
