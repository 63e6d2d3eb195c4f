"""How pictures are shown to the network, and the network as the file that serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kyara.training.convert import convert_keras
from kyara.vision.detector_bundle import DetectorBundle, write_detector_bundle

LOOKS: dict[str, Any] = {
    "longest_sides_px": [256, 640],
    "live_longest_sides_px": [320],
    "longest_ratio": 1.9,
    "tile_overlap": 0.5,
    "most_enlarged": 2.0,
    "fill": 114,
    "min_box_px": 12,
    "max_boxes": 32,
    "merge": {"overlap": 0.4, "inside": 0.6},
    "second_look": {"least": 0.2, "most": 0.6, "face_px": 96, "side_px": 224, "faces": 8},
}
TRAINED_SIDE_PX = 256


def write_network(
    model: Any, target: Path, data: dict[str, Any], *, tells_eyes: bool = False
) -> DetectorBundle:
    """Convert a Keras model and write it as a bundle with the settings `LOOKS`.

    Args:
        model: as `build_detector` gives it, trained.
        target: folder of the bundle.
        data: the bundle's thresholds, default level and provenance.
        tells_eyes: it was taught where the eyes are.
    """
    import keras

    inputs = keras.Input((TRAINED_SIDE_PX, TRAINED_SIDE_PX, 3), name="picture")
    settings = {**LOOKS, "tells_eyes": tells_eyes}
    # a name of its own: the file does not depend on how many models were built before
    network = convert_keras(keras.Model(inputs, model(inputs), name="looks"), quantise=False)
    return write_detector_bundle(target, network, {"settings": settings, **data})
