"""The face network that serves, for the page's worker; under addresses that change with it."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, jsonify, url_for

from kyara.errors import BundleError
from kyara.vision.detector_bundle import (
    DetectorBundle,
    find_default_detector,
    find_detector_bundle,
    load_detector_bundle,
)
from kyara.web.ops.assets import MAX_AGE_S, choose_coding

blueprint = Blueprint("detector", __name__)


@lru_cache(maxsize=2)
def _load(folder: Path) -> DetectorBundle:
    return load_detector_bundle(folder)


def detector_urls() -> dict[str, str]:
    """Return the addresses of the networks and their settings; empty if the cascade is to be used."""
    try:
        models = _find_models()
        is_default = find_default_detector(models) == "network"
        bundle = _load(find_detector_bundle(models)) if is_default else None
    except BundleError:
        bundle = None
    if bundle is None:
        return {"network": "", "networkSettings": "", "networkEyes": ""}
    eyes = "" if bundle.eyes is None else url_for("detector.send_eyes", version=bundle.version)
    return {
        "network": url_for("detector.send_network", version=bundle.version),
        "networkSettings": url_for("detector.send_settings", version=bundle.version),
        "networkEyes": eyes,
    }


@blueprint.get("/detector/<version>/network.tflite")
def send_network(version: str) -> Response:
    """Send the network's file."""
    return _send(_find(version).network)


@blueprint.get("/detector/<version>/eyes.tflite")
def send_eyes(version: str) -> Response:
    """Send the file of the network that finds a face's eyes."""
    if (eyes := _find(version).eyes) is None:
        abort(404)
    return _send(eyes)


@blueprint.get("/detector/<version>/settings.json")
def send_settings(version: str) -> Response:
    """Send how a picture is shown to the network, and its thresholds."""
    return _keep(jsonify(_find(version).describe()))


def _find_models() -> Path:
    return Path(current_app.config["MODEL_FOLDER"])


def _find(version: str) -> DetectorBundle:
    try:
        bundle = _load(find_detector_bundle(_find_models()))
    except BundleError:
        abort(404)
    if bundle.version != version:
        abort(404)
    return bundle


def _send(network: bytes) -> Response:
    """Send a network, compressed (by an eighth) for who takes that."""
    coding = choose_coding(["gzip"])
    response = Response(_compress(network) if coding else network, mimetype="application/octet-stream")
    if coding:
        response.headers["Content-Encoding"] = coding
    response.vary.add("Accept-Encoding")
    return _keep(response)


@lru_cache(maxsize=4)
def _compress(network: bytes) -> bytes:
    return gzip.compress(network, mtime=0)


def _keep(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={MAX_AGE_S}, immutable"
    return response
