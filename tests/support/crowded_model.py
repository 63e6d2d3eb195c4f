"""A model that knows a crowd: the tiny one, some whose names are hard to type, and many more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kyara.recognition.bundle import load_bundle, save_bundle
from kyara.recognition.characters import Character
from kyara.registry import promote_bundle

MAL_ID = 7156
"""Number of each of the tiny model's own characters at MyAnimeList, plus its place among them."""
CROWD = 130
NAMED = (
    Character(
        "hatsune_miku",
        {"en": "Hatsune Miku", "zh": "初音未来", "ja": "初音ミク"},
        {"en": "VOCALOID"},
        7156,
    ),
    Character(
        "princess_connect_redive/kyaru",
        {"en": "Karyl", "zh": "凯露", "ja": "キャル"},
        {"en": "Princess Connect! Re:Dive", "zh": "公主连结Re:Dive"},
    ),
    Character("kancolle/shigure", {"en": "Shigure", "zh": "时雨", "ja": "時雨"}, {"en": "KanColle"}),
    Character("unknown_work/stranger_mal12", {"en": "<b>Stranger</b> & Co."}, {}),
)


def write_crowded_model(tiny_bundle: Path, models: Path) -> Path:
    """Write the model into a model folder and make it serve; returns the bundle's folder.

    Each character that is added has one reference, Hatsune Miku two.
    """
    bundle = load_bundle(tiny_bundle)
    own = tuple(replace(one, mal_id=MAL_ID + place) for place, one in enumerate(bundle.characters))
    crowd = tuple(
        Character(f"crowd/c{number:03}", {"en": f"Extra {number:03}"}, {"en": "The Crowd"})
        for number in range(CROWD)
    )
    added = (*NAMED, *crowd)
    rows = np.append(np.arange(len(added)), 0) + len(own)
    features = np.random.default_rng(5).normal(size=(len(rows), bundle.head_weight.shape[0]))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    crowded = replace(
        bundle,
        characters=(*own, *added),
        gallery_features=np.concatenate([bundle.gallery_features, features.astype(np.float32)]),
        gallery_rows=np.concatenate([bundle.gallery_rows, rows]),
        gallery_ids=(*bundle.gallery_ids, *("",) * len(rows)),
    )
    save_bundle(crowded, models / "crowded")
    promote_bundle("crowded", models)
    return models / "crowded"
