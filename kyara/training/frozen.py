"""Networks that are not trained any further: where frozen features come from."""

from __future__ import annotations

import json
import tempfile
import zipfile
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
from kyara.recognition.colourless import ColourlessLayer
from kyara.storage.atomic import replace_file
from kyara.training.backbones import BACKBONES, IMAGENET, BackboneEntry
from kyara.training.convert import convert_hub, convert_keras
from kyara.training.trained import BOTH_SIDES

FROZEN_FILE = "frozen.json"


@dataclass(frozen=True)
class Frozen:
    """A network that is used as it is.

    Attributes:
        backbone: a LiteRT file: pixels → features.
        preprocessing: how crops become its input.
        colourless: a bundle's layer for drawings without colours.
    """

    backbone: bytes
    preprocessing: Preprocessing
    colourless: ColourlessLayer | None = None

    def load(self) -> Backbone:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / BACKBONE_FILE
            path.write_bytes(self.backbone)
            return Backbone(path, self.preprocessing, colourless=self.colourless)


def open_frozen(source: str, input_px: int, run: Path, *, quantise: bool = True) -> Frozen:
    """Make the LiteRT network of a source, once a run.

    Args:
        source: a bundle's folder (its network is taken as it is); a name of `BACKBONES`, with
            `keras.applications`' weights, or a checkpoint (.keras), which give the averages of the
            backbone's `depths`; or anything that `tensorflow_hub.load` takes: a handle, a
            SavedModel's folder, its .tar.gz. Those get pixels in 0 to 1, as TensorFlow Hub's image
            models have it.
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
        return Frozen(kept.read_bytes(), preprocessing, _find_layer(source))
    frozen = _make(source, input_px, quantise)
    run.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(frozen.backbone)
    replace_file(described, json.dumps({**made_of, "preprocessing": asdict(frozen.preprocessing)}))
    return frozen


def _find_layer(source: str) -> ColourlessLayer | None:
    folder = Path(source)
    return load_bundle(folder).colourless if (folder / MANIFEST_FILE).is_file() else None


def _make(source: str, input_px: int, quantise: bool) -> Frozen:
    path = Path(source)
    if (path / MANIFEST_FILE).is_file():
        bundle = load_bundle(path)
        return Frozen(bundle.backbone.read_bytes(), bundle.preprocessing, bundle.colourless)
    if source in BACKBONES or path.suffix == ".keras":
        network = _build_depths(source, input_px)
        return Frozen(
            convert_keras(network, quantise=quantise), Preprocessing(input_px, (0.0, 1.0), BOTH_SIDES)
        )
    backbone, side = convert_hub(source, input_px, quantise=quantise)
    return Frozen(backbone, Preprocessing(side, (0.0, 1.0), BOTH_SIDES))


def _build_depths(source: str, input_px: int) -> Any:
    """Put averages of early and late feature maps side by side.

    On film posters they tell more together than any of them alone.
    """
    import keras

    from kyara.training.start_weights import load_start

    entry = BACKBONES[source] if source in BACKBONES else _find_entry(source)
    network = entry.build(input_px)
    load_start(network, entry, IMAGENET if source in BACKBONES else source)
    averages = [
        keras.layers.GlobalAveragePooling2D()(network.get_layer(name).output) for name in entry.depths
    ]
    return keras.Model(network.input, keras.layers.Concatenate()(averages))


def _find_entry(path: str) -> BackboneEntry:
    """Tell a checkpoint's backbone by the names of its layers."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json").decode()
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise BadInputError(f"{path} is not a model that Keras can load: {error}.") from error
    for entry in BACKBONES.values():
        if all(f'"{name}"' in config for name in entry.depths):
            return entry
    raise BadInputError(f"{path} has none of the backbones {', '.join(BACKBONES)}.")
