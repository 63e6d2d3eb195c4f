"""Networks that are not trained any further: where frozen features come from."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kyara.errors import BadInputError
from kyara.recognition.backbone import Backbone
from kyara.recognition.bundle import (
    BACKBONE_FILE,
    MANIFEST_FILE,
    Preprocessing,
    load_bundle,
)
from kyara.storage.atomic import replace_file
from kyara.training.convert import convert_hub, convert_keras
from kyara.training.trained import BOTH_SIDES

FROZEN_FILE = "frozen.json"
DEPTHS = ("mixed4", "mixed7", "mixed9")
"""Feature maps of Inception-v3 whose averages stand side by side: early ones tell texture and colour,
late ones things. On film posters they tell more together than any of them alone."""


@dataclass(frozen=True)
class Frozen:
    """A network that is used as it is.

    Attributes:
        backbone: a LiteRT file: pixels → features.
        preprocessing: how crops become its input.
    """

    backbone: bytes
    preprocessing: Preprocessing

    def load(self) -> Backbone:
        """Load it for the features that will be served, too."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / BACKBONE_FILE
            path.write_bytes(self.backbone)
            return Backbone(path, self.preprocessing)


def open_frozen(source: str, input_px: int, run: Path, *, quantise: bool = True) -> Frozen:
    """Make the LiteRT network of a source, once a run.

    Args:
        source: a bundle's folder (its network is taken as it is); the npm package nsfwjs (.tgz) or a
            checkpoint (.keras), whose Inception-v3 gives the averages of `DEPTHS`; or anything that
            `tensorflow_hub.load` takes: a handle, a SavedModel's folder, its .tar.gz. Those get pixels
            in 0 to 1, as TensorFlow Hub's image models have it.
        input_px: side of the input, where the source takes any.
        run: folder where the result is kept.
        quantise: int8 weights; a bundle's stay what they are.

    Raises:
        BadInputError: it cannot be loaded, or the run was begun with another source.
        BundleError: the bundle is damaged.
    """
    kept, described = run / BACKBONE_FILE, run / FROZEN_FILE
    made_of = {"source": source, "input_px": input_px, "quantise": quantise}
    if kept.exists() and described.exists():
        found = json.loads(described.read_text(encoding="utf-8"))
        preprocessing = Preprocessing.from_json(found.pop("preprocessing"))
        if found != made_of:
            raise BadInputError(
                f"{run} was begun with other features ({found['source']}); "
                "give another --run folder or delete it."
            )
        return Frozen(kept.read_bytes(), preprocessing)
    frozen = _make(source, input_px, quantise)
    run.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(frozen.backbone)
    replace_file(described, json.dumps({**made_of, "preprocessing": asdict(frozen.preprocessing)}))
    return frozen


def _make(source: str, input_px: int, quantise: bool) -> Frozen:
    path = Path(source)
    if (path / MANIFEST_FILE).is_file():
        bundle = load_bundle(path)
        return Frozen(bundle.backbone.read_bytes(), bundle.preprocessing)
    if path.suffix in (".tgz", ".keras"):
        network = _build_depths(path, input_px)
        return Frozen(
            convert_keras(network, quantise=quantise), Preprocessing(input_px, (0.0, 1.0), BOTH_SIDES)
        )
    backbone, side = convert_hub(source, input_px, quantise=quantise)
    return Frozen(backbone, Preprocessing(side, (0.0, 1.0), BOTH_SIDES))


def _build_depths(start: Path, input_px: int) -> Any:
    import keras

    from kyara.training.networks import build_inception
    from kyara.training.start_weights import load_start

    inception = build_inception(input_px, norm_momentum=0.99)
    load_start(inception, start)
    averages = [
        keras.layers.GlobalAveragePooling2D()(inception.get_layer(name).output) for name in DEPTHS
    ]
    return keras.Model(inception.input, keras.layers.Concatenate()(averages))
