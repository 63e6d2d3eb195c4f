"""What a crop costs on its way: bytes, time to decode, and what smaller or lossy crops do to answers."""

from __future__ import annotations

import statistics
from typing import Any

from PIL import Image

from bench.pictures import draw_crop
from bench.results import ROOT
from bench.timing import measure_ms
from classification import Classifier
from kyara.vision.boxes import Box
from kyara.vision.detectors.lbp_cascade import CascadeDetector
from kyara.vision.images import crop_pixels, decode_image, encode_image, read_image

WIDTHS = (1.0, 1.3, 1.6)
"""Boxes are wider or narrower as people draw them: multiples of the proposal."""
DRAWN = 9
EXACT, CHOSEN = "PNG, 512 px", "PNG, 256 px"
WAYS: dict[str, tuple[str, int, dict[str, int]]] = {
    EXACT: ("PNG", 512, {}),
    CHOSEN: ("PNG", 256, {}),
    "PNG, 192 px": ("PNG", 192, {}),
    "JPEG 95, 256 px": ("JPEG", 256, {"quality": 95}),
    "WebP 95, 256 px": ("WEBP", 256, {"quality": 95}),
}


def measure(quick: bool) -> dict[str, Any]:
    """Send the same faces in every way and compare the answers with the exact ones."""
    classifier = Classifier()
    crops = cut_example()[: 4 if quick else None]
    crops += [draw_crop(seed, 512) for seed in range(2 if quick else DRAWN)]
    rows: dict[str, dict[str, float]] = {}
    exact: list[Any] = []
    for name, (form, longest, options) in WAYS.items():
        files = [_encode(crop, form, longest, options) for crop in crops]
        decoding = measure_ms(lambda f=files: [decode_image(one) for one in f], 3)[0] / len(files)
        faces = classifier.identify(decode_image(file) for file in files)
        exact = exact or faces
        pairs = [(one.answers[0], other.answers[0]) for one, other in zip(faces, exact, strict=True)]
        changes = [abs(one.confidence - other.confidence) for one, other in pairs]
        rows[name] = {
            "kb": round(statistics.mean(map(len, files)) / 1000, 1),
            "decode_ms": round(decoding, 2),
            "same_first": sum(one.character.label == other.character.label for one, other in pairs),
            "mean_change": round(statistics.mean(changes), 4),
            "largest_change": round(max(changes), 4),
        }
    return {"crops": len(crops), "rows": rows}


def cut_example() -> list[Image.Image]:
    """Cut the faces out of the example picture, in boxes of several widths."""
    pixels = read_image(ROOT / "static" / "vendor" / "example.png")
    crops = []
    for box in (face.box for face in CascadeDetector().find(pixels)):
        for share in WIDTHS:
            width, height = round(box.width * share), round(box.height * share)
            x = box.x + (box.width - width) // 2
            y = box.y + (box.height - height) // 2
            crops.append(Image.fromarray(crop_pixels(pixels, Box(x, y, width, height))))
    return crops


def _encode(crop: Image.Image, form: str, longest: int, options: dict[str, int]) -> bytes:
    scale = min(1, longest / max(crop.size))
    if scale < 1:
        size = [max(1, round(side * scale)) for side in crop.size]
        crop = crop.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    return encode_image(crop, form, **options)


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the measurements into a table."""
    first = data["rows"][EXACT]
    lines = [
        f"{data['crops']} crops: the example's faces in boxes of three widths, and drawn faces of 512 "
        f"px. The page sends *{CHOSEN}* for a network of 128 px, more for a larger one. It is lossless "
        "because of the last columns: what JPEG and WebP save in bytes they change in the answers.",
        "",
        "| sent as | kB | decoding ms | same first answer | change of confidence, mean | largest |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in data["rows"].items():
        lines.append(
            f"| {name} | {row['kb']} ({row['kb'] / first['kb']:.0%}) | {row['decode_ms']} | "
            f"{row['same_first']} of {data['crops']} | {row['mean_change']:.3f} | "
            f"{row['largest_change']:.3f} |"
        )
    return lines
