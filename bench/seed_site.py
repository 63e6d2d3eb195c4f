"""The rival site: answers `POST /api/identify` as Kyara's first version did.

`python -m bench.seed_site FOLDER --port 8000`; FOLDER is what `bench.rivals.prepare_rivals` wrote.
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, request
from werkzeug.serving import make_server

import kyara  # noqa: F401  (before NumPy, whose threads it settles)
from bench.rivals import GRAPH, HEAD, SeedsWay
from classification import Classifier


def create_site(folder: Path) -> Flask:
    """Build the rival: TensorFlow, the graph read once, sessions opened for every crop."""
    bundle = Classifier().bundle
    way = SeedsWay(folder / GRAPH, bundle.preprocessing)
    with np.load(folder / HEAD) as head:
        weight, bias = head["weight"], head["bias"]
    labels = bundle.labels
    site = Flask(__name__)

    @site.post("/api/identify")
    def identify() -> dict[str, Any]:
        faces = []
        for crop in request.get_json()["crops"]:
            scores = way.extract(base64.b64decode(crop.split(",", 1)[1])) @ weight + bias
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            best = np.argsort(-shares)[:5]
            faces.append([{"label": labels[row], "confidence": float(shares[row])} for row in best])
        return {"faces": faces}

    return site


def main() -> None:
    """Serve until the process is ended; says the port once it listens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server = make_server("127.0.0.1", options.port, create_site(options.folder), threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
