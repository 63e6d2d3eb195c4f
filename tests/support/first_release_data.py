"""A data folder as the first release left it: databases, report pictures, a bundle of format 1."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
from bundle_damage import trust_file

from kyara.dataset.review.reports.files import encode_report

DUMPS = Path(__file__).parent / "first_release"
REPORT_SEEDS = {
    "aka_ribbon-810b02eeaeb24e7e8716db6edb6cf02d.png": 1,
    "QinChuiChou-8ef546f08a1f47de9037bcf503649829.png": 2,
    "not_a_face-b85134afc5b4441b9469f75d4d4e7b6e.png": 3,
}
"""File → what `draw_crop` draws into it: the first release was given these crops."""
PASSWORD = "orange blossom tea"
"""Of its operator `rin`."""


def draw_crop(seed: int) -> np.ndarray:
    """Draw a crop that was reported then."""
    return np.random.default_rng(seed).integers(0, 256, (24, 25, 3), dtype=np.uint8)


def write_first_release(folder: Path, tiny_bundle: Path) -> dict[str, str]:
    """Write `model/`, `user_report/` and `instance/`; return the settings that name them."""
    model, reports, instance = folder / "model", folder / "user_report", folder / "instance"
    for path in (model, reports, instance):
        path.mkdir(parents=True)
    _restore("reports", reports / "reports.db")
    _restore("taught", model / "taught.db")
    _restore("operators", instance / "operators.db")
    for name, seed in REPORT_SEEDS.items():
        (reports / name).write_bytes(encode_report(draw_crop(seed), {}))
    _write_bundle(tiny_bundle, model / "faces-46")
    (model / "registry.json").write_text(json.dumps({"serving": "faces-46", "history": []}))
    return {
        "MODEL_FOLDER": str(model),
        "REPORT_FOLDER": str(reports),
        "INSTANCE_FOLDER": str(instance),
        "DATASET_FOLDER": str(folder / "dataset"),
    }


def _restore(name: str, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DUMPS / f"{name}.sql").read_text(encoding="utf-8"))


def _write_bundle(bundle: Path, folder: Path) -> None:
    """Turn a bundle into one of format 1: neither task, nor rows of the head, nor ids of references."""
    shutil.copytree(bundle, folder)
    for name, arrays in (("head.npz", ("weight", "bias")), ("gallery.npz", ("features", "rows"))):
        with np.load(folder / name) as stored:
            np.savez(folder / name, **{array: stored[array] for array in arrays})
        trust_file(folder, name)
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    kept = ("temperature", "familiarity_threshold")
    manifest["calibration"] = {key: manifest["calibration"][key] for key in kept}
    manifest |= {"format": 1, "name": folder.name}
    del manifest["task"]
    path.write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
