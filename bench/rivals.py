"""The same weights elsewhere: Keras, TensorFlow 1's sessions, LiteRT in float32, OpenVINO.

The bundle's network is read back from its LiteRT file into Keras, and from there written for the
others, once, into build/bench/. TensorFlow is imported inside the functions that need it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.pictures import draw_crop
from bench.results import ROOT
from kyara.recognition.backbone import prepare_crop
from kyara.recognition.bundle import Bundle, Preprocessing, View

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

FLOAT32, KERAS, GRAPH, HEAD = "float32.tflite", "network.keras", "graph.pb", "head.npz"
VINO_INT8 = "int8.xml"
SEED_GRAPH = "graph-299.pb"
SEED_PX = 299
"""Kyara's first version showed every picture once, at this size."""
CALIBRATION_CROPS = 16
INPUT, OUTPUT = "views:0", "Identity:0"


def prepare_rivals(bundle: Bundle, fingerprint: str, crop: np.ndarray) -> Path:
    """Write the network for every rival, where that was not done before.

    Args:
        bundle: made by the recipe `finetune`.
        fingerprint: of its network.
        crop: `uint8 (H, W, 3)`, any picture.

    Returns:
        The folder that holds them.
    """
    folder = ROOT / "build" / "bench" / fingerprint
    if (folder / SEED_GRAPH).exists():  # it is written last
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    network = build_keras(bundle, prepare_crop(crop, bundle.preprocessing))
    larger = build_keras(bundle, prepare_crop(crop, as_the_seed(bundle.preprocessing)))
    from kyara.training.convert import convert_keras

    network.save(folder / KERAS)
    (folder / FLOAT32).write_bytes(convert_keras(network, quantise=False))
    (folder / GRAPH).write_bytes(_freeze(network))
    _quantise_openvino(folder, bundle.preprocessing)
    np.savez(folder / HEAD, weight=bundle.head_weight, bias=bundle.head_bias)
    (folder / SEED_GRAPH).write_bytes(_freeze(larger))
    return folder


def as_the_seed(preprocessing: Preprocessing) -> Preprocessing:
    """Return the preprocessing of Kyara's first version: one view of 299 px."""
    return replace(preprocessing, input_px=SEED_PX, views=(View(),))


def build_keras(bundle: Bundle, views: np.ndarray) -> Any:
    """Return the bundle's network as a Keras model: views, of any size, → features."""
    import keras

    from kyara.training import networks
    from kyara.training.start_weights import assign_folded_weights, read_folded_weights

    network = networks.build_embedding_network(views.shape[1], len(bundle.head_weight), classes=1)
    assign_folded_weights(network, read_folded_weights(bundle.backbone), views)
    features: Any = network.get_layer(networks.FEATURES_LAYER).output
    return keras.Model(network.input, features)


def _freeze(network: Any) -> bytes:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = (None, *network.input_shape[1:])
    function: Any = tf.function(
        lambda views: network(views, training=False),
        input_signature=[tf.TensorSpec(shape, tf.float32, name="views")],  # type: ignore[arg-type]
    )
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    return frozen.graph.as_graph_def().SerializeToString()


def _quantise_openvino(folder: Path, preprocessing: Preprocessing) -> None:
    """Write OpenVINO's own int8, weights and activations, calibrated on drawn crops.

    Source: https://docs.openvino.ai/2026/openvino-workflow/model-optimization-guide/quantizing-models-post-training.html
    """
    os.environ["NNCF_CI"] = "1"  # no telemetry
    import nncf
    import openvino

    crops = [np.asarray(draw_crop(100 + seed)) for seed in range(CALIBRATION_CROPS)]
    views = [view[None] for crop in crops for view in prepare_crop(crop, preprocessing)]
    network = openvino.Core().read_model(folder / FLOAT32)
    quantised = nncf.quantize(network, nncf.Dataset(views), subset_size=len(views))
    openvino.save_model(quantised, folder / VINO_INT8)


def load_keras(folder: Path) -> Any:
    """Load the Keras model."""
    import keras

    from kyara.training import networks  # noqa: F401  (registers its layers)

    return keras.models.load_model(folder / KERAS)


class SeedsWay:
    """How Kyara's first version served: a new graph and two new sessions for every picture.

    One session decodes and scales the picture in a graph that is built for it, the other runs the
    network. The network's graph itself is read once.
    """

    def __init__(self, graph: Path, preprocessing: Preprocessing) -> None:
        """Read the graph, `GRAPH` or `SEED_GRAPH`, of a network that takes such views."""
        import tensorflow as tf

        self._tf: Any = tf
        self._v1: Any = tf.compat.v1
        self._preprocessing = preprocessing
        definition = self._v1.GraphDef.FromString(graph.read_bytes())
        self._graph = self._v1.Graph()
        with self._graph.as_default():
            self._v1.import_graph_def(definition, name="")

    def extract(self, data: bytes) -> np.ndarray:
        """Turn a PNG or JPEG into features, `float32 (features,)`, in the bundle's views."""
        with self._v1.Graph().as_default(), self._v1.Session() as session:
            views = session.run(self._build_views(data))
        with self._v1.Session(graph=self._graph) as session:
            features = session.run(OUTPUT, {INPUT: views})
        return features.mean(axis=0)

    def _build_views(self, data: bytes) -> Any:
        tf, preprocessing = self._tf, self._preprocessing
        side, (low, high) = preprocessing.input_px, preprocessing.scale
        pixels = tf.cast(tf.io.decode_image(data, channels=3, expand_animations=False), tf.float32)
        shown = []
        for view in preprocessing.views:
            inner = tf.image.central_crop(pixels, 1 - 2 * view.inset) if view.inset else pixels
            resized = self._v1.image.resize_bilinear(inner[None], (side, side))
            shown.append(resized[:, :, ::-1] if view.mirror else resized)
        return tf.concat(shown, axis=0) * ((high - low) / 255) + low


def load_openvino(path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return OpenVINO's way from one view to its features.

    Args:
        path: a LiteRT file, or one that OpenVINO wrote.
        threads: of the processor.
    """
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    network = core.compile_model(core.read_model(path), "CPU", options)
    request = network.create_infer_request()
    return lambda view: request.infer({0: view[None]})[0][0]
