"""Measure the site's speed and memory: ratios within one run, so that machines can be compared.

The unit is one bare call of the network in this process. Everything else is told as a multiple of it,
next to its milliseconds here.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import kyara  # noqa: E402, F401, I001  (before NumPy, whose threads it settles)
import numpy as np  # noqa: E402
from classification import Classifier  # noqa: E402
from kyara.backbone import Backbone, prepare_crop  # noqa: E402
from kyara.bundle import Bundle  # noqa: E402
from kyara.images import encode_png  # noqa: E402
from scripts.local_site import Server  # noqa: E402

CROP_PX = 256
ANSWERS_BEFORE_MEMORY = 100


def measure_ms(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call, after one that warms up."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def post_crops(address: str, crops: list[str]) -> dict:
    """Ask the running site who is in the crops."""
    body = json.dumps({"crops": crops}).encode()
    request = urllib.request.Request(
        f"{address}/api/identify", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def measure_server(server: Server, url: str, repeats: int, rows: dict[str, float]) -> None:
    """Time answers over HTTP, and ask on until there were enough to measure memory."""
    rows["HTTP, one crop"] = measure_ms(lambda: post_crops(server.url, [url]), repeats)
    rows["HTTP, five crops"] = measure_ms(lambda: post_crops(server.url, [url] * 5), repeats)
    for _ in range(max(0, ANSWERS_BEFORE_MEMORY - 2 * repeats)):
        post_crops(server.url, [url])


def measure_rivals(bundle: Bundle, view: np.ndarray, repeats: int) -> dict[str, float]:
    """Time the same weights elsewhere: `keras.Model.predict`, and LiteRT with float32 weights.

    Args:
        bundle: made by the recipe `finetune`.
        view: `float32 (1, S, S, 3)`, one crop in one view.
        repeats: timed calls of each.
    """
    import keras

    from kyara.conversion import convert_keras
    from kyara.pretrained import assign_folded_weights, read_folded_weights
    from kyara.training import networks

    size, dimension = bundle.preprocessing.input_px, len(bundle.head_weight)
    network = networks.build_embedding_network(size, dimension, classes=1)
    assign_folded_weights(network, read_folded_weights(bundle.backbone), view)
    features: Any = keras.Model(network.input, network.get_layer(networks.FEATURES_LAYER).output)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "float32.tflite"
        path.write_bytes(convert_keras(features, quantise=False))
        unquantised = Backbone(path, bundle.preprocessing)
    return {
        "the same, float32": measure_ms(lambda: unquantised.extract_view(view[0]), repeats),
        "the same, keras predict": measure_ms(lambda: features.predict(view, verbose=0), repeats),
    }


def measure_resident_mb(process: subprocess.Popen[str]) -> float:
    """Return the largest resident memory of the server's processes, in MB."""
    parent = psutil.Process(process.pid)
    return max(p.memory_info().rss for p in [parent, *parent.children(recursive=True)]) / 1e6


def maps_tensorflow(process: subprocess.Popen[str]) -> bool:
    """Tell whether any of the server's processes has TensorFlow's libraries loaded."""
    parent = psutil.Process(process.pid)
    return any(
        "site-packages/tensorflow/" in mapping.path
        for one in [parent, *parent.children(recursive=True)]
        for mapping in one.memory_maps()
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30, help="timed calls of each kind (default 30)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    crop = np.random.default_rng(0).integers(0, 256, (CROP_PX, CROP_PX, 3), np.uint8)
    url = "data:image/png;base64," + base64.b64encode(encode_png(crop)).decode()
    classifier = Classifier()
    view = prepare_crop(crop, classifier.bundle.preprocessing)[:1]
    rows = {
        "network, one view": measure_ms(
            lambda: classifier.backbone.extract_view(view[0]), options.repeats
        ),
        "Classifier, one crop": measure_ms(lambda: classifier.identify([crop]), options.repeats),
    }
    with TemporaryDirectory() as reports:
        started = time.perf_counter()
        with Server(Path(reports), wait=False) as server:
            post_crops(server.url, [url])
            first_answer_s = time.perf_counter() - started
            measure_server(server, url, options.repeats, rows)
            resident_mb = measure_resident_mb(server.process)
            tensorflow = maps_tensorflow(server.process)
    rows |= measure_rivals(classifier.bundle, view, options.repeats)
    unit = rows["network, one view"]
    result = {
        "ratio": {name: round(value / unit, 2) for name, value in rows.items()},
        "milliseconds": {name: round(value, 2) for name, value in rows.items()},
        "first_answer_s": round(first_answer_s, 2),
        "resident_mb": round(resident_mb, 1),
        "tensorflow_loaded": tensorflow,
    }
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{'':24}{'ratio':>8}{'ms':>10}")
    for name, value in rows.items():
        print(f"{name:24}{value / unit:8.2f}{value:10.2f}")
    print(f"process start to first answer: {first_answer_s:.2f} s")
    print(f"resident memory after {ANSWERS_BEFORE_MEMORY} identifications or more: {resident_mb:.0f} MB")
    print(f"TensorFlow loaded by the server: {'yes' if tensorflow else 'no'}")


if __name__ == "__main__":
    main()
