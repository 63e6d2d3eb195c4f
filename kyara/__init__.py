"""Kyara answers one question: who is this anime character?

from kyara import Classifier, read_image

for face in Classifier().identify([read_image(Path("face.png"))]):
    print(face.verdict, face.answers[0].label, face.answers[0].confidence)
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kyara.errors import KyaraError as KyaraError
    from kyara.recognition.answers import Answer as Answer
    from kyara.recognition.answers import FaceAnswers as FaceAnswers
    from kyara.recognition.bundle import Bundle as Bundle
    from kyara.recognition.bundle import load_bundle as load_bundle
    from kyara.recognition.characters import Character as Character
    from kyara.registry.serving import ServingClassifier as Classifier
    from kyara.vision.boxes import Box as Box
    from kyara.vision.images import crop_pixels as crop_pixels
    from kyara.vision.images import read_image as read_image

# NumPy's own threads spin on after each product and slow the network down, which needs the cores: with
# them an answer takes half as long again. This must be set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"

_PUBLIC = {
    "Answer": ("kyara.recognition.answers", "Answer"),
    "Box": ("kyara.vision.boxes", "Box"),
    "Bundle": ("kyara.recognition.bundle", "Bundle"),
    "Character": ("kyara.recognition.characters", "Character"),
    "Classifier": ("kyara.registry.serving", "ServingClassifier"),
    "FaceAnswers": ("kyara.recognition.answers", "FaceAnswers"),
    "KyaraError": ("kyara.errors", "KyaraError"),
    "crop_pixels": ("kyara.vision.images", "crop_pixels"),
    "load_bundle": ("kyara.recognition.bundle", "load_bundle"),
    "read_image": ("kyara.vision.images", "read_image"),
}
"""The public names: each is loaded when it is first asked for, so that `import kyara` stays cheap."""

__all__ = [
    "Answer",
    "Box",
    "Bundle",
    "Character",
    "Classifier",
    "FaceAnswers",
    "KyaraError",
    "__version__",
    "crop_pixels",
    "load_bundle",
    "read_image",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
