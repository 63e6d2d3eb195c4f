"""What a half-trained detector finds out about its own data: pseudo-labels, doubtful places, mistakes.

Pictures that nobody boxed get their faces where the network and the LBP cascade, which share nothing,
agree. Where only one of them sees a face the place is doubtful and not counted at all. In boxed pictures
a sure box without a label that the cascade confirms is doubtful too; every other false box is a mistake,
around which views are made.

Source: co-training (Blum and Mitchell 1998, https://doi.org/10.1145/279943.279962) and online hard
example mining (Shrivastava et al. 2016, https://arxiv.org/abs/1604.03540).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kyara.storage.atomic import replace_file
from kyara.training.recipes.detector.scenes import BoxedFace, Scene
from kyara.training.recipes.detector.views import Sources
from kyara.vision.boxes import Box, FoundFace, grow_box, measure_overlap
from kyara.vision.detectors.base import FaceDetector
from kyara.vision.detectors.network import NetworkDetector

MINED_FILE = "mined.json"
SURE_SCORE = 0.5
"""A face that the cascade confirms has at least this score."""
ALONE_SCORE = 0.85
"""So sure a network needs nobody to confirm it."""
DOUBTFUL_SCORE = 0.08
"""From here on a place in a picture that nobody boxed is not taken for background."""
MISTAKEN_SCORE = 0.1
SAME_FACE = 0.3
"""Least intersection over union of two boxes on one face; the two detectors' frames differ."""


def mine_sources(
    sources: Sources,
    network: NetworkDetector,
    cascade: FaceDetector,
    progress: Callable[[int], object] = lambda count: None,
) -> Sources:
    """Add what a half-trained network finds to what it is trained on.

    Args:
        sources: boxed, faceless and unlabelled pictures.
        network: its own, as far as it is trained.
        cascade: the other opinion.
        progress: called for each picture.

    Returns:
        The unlabelled pictures are among the boxed ones, after them.
    """

    def look(scenes: Sequence[Scene], judge: Any) -> list[Scene]:
        judged = []
        for scene in scenes:
            judged.append(judge(scene, network, cascade))
            progress(1)
        return judged

    pictures = [*look(sources.pictures, _find_mistakes), *look(sources.unlabelled, _label)]
    negatives = look(sources.negatives, _find_mistakes)
    return replace(sources, pictures=pictures, negatives=negatives, unlabelled=())


def keep_mined(sources: Sources, run: Path) -> None:
    """Write what was found into a run's folder."""
    kept = {
        kind: [{"faces": [asdict(face) for face in s.faces], "mistaken": s.mistaken} for s in scenes]
        for kind, scenes in (("pictures", sources.pictures), ("negatives", sources.negatives))
    }
    replace_file(run / MINED_FILE, json.dumps(kept).encode())


def restore_mined(sources: Sources, run: Path) -> Sources:
    """Return what `mine_sources` gave for the same pictures, as `keep_mined` wrote it."""
    kept = json.loads((run / MINED_FILE).read_text(encoding="utf-8"))
    whole = [*sources.pictures, *sources.unlabelled]
    pictures, negatives = (
        [_restore(scene, row) for scene, row in zip(scenes, kept[kind], strict=True)]
        for kind, scenes in (("pictures", whole), ("negatives", sources.negatives))
    )
    return replace(sources, pictures=pictures, negatives=negatives, unlabelled=())


def _restore(scene: Scene, row: dict[str, Any]) -> Scene:
    faces = tuple(
        BoxedFace(tuple(face["box"]), face["eyes"] and tuple(face["eyes"]), face["sure"])
        for face in row["faces"]
    )
    return replace(scene, faces=faces, mistaken=tuple(map(tuple, row["mistaken"])))


def _search(
    scene: Scene, network: NetworkDetector, cascade: FaceDetector, least: float
) -> tuple[list[FoundFace], list[Box]]:
    """Return the network's boxes and the cascade's, both tight."""
    pixels = scene.levels[0]
    found = sorted(network.find_above(pixels, least), key=lambda face: -face.score)
    boxes = [
        grow_box(face.box, 1 / cascade.box_scale, scene.width, scene.height)
        for face in cascade.find(pixels)
    ]
    return found, boxes


def _touches(box: Box, others: Sequence[Box], least: float = SAME_FACE) -> bool:
    return any(measure_overlap(box, other) > least for other in others)


def _tight(box: Box) -> tuple[float, float, float, float]:
    return float(box.x), float(box.y), float(box.width), float(box.height)


def _find_mistakes(scene: Scene, network: NetworkDetector, cascade: FaceDetector) -> Scene:
    found, confirmed = _search(scene, network, cascade, MISTAKEN_SCORE)
    known = [Box(*map(round, face.box)) for face in scene.faces]
    false = [face for face in found if not _touches(face.box, known, 0.0)]
    doubtful = [f for f in false if f.score >= SURE_SCORE and _touches(f.box, confirmed)]
    mistaken = tuple(_tight(face.box) for face in false if face not in doubtful)
    faces = (*scene.faces, *(BoxedFace(_tight(face.box), sure=False) for face in doubtful))
    return replace(scene, faces=faces, mistaken=mistaken)


def _label(scene: Scene, network: NetworkDetector, cascade: FaceDetector) -> Scene:
    found, confirmed = _search(scene, network, cascade, DOUBTFUL_SCORE)

    def trust(face: FoundFace) -> bool:
        agreed = _touches(face.box, confirmed)
        return face.score >= (SURE_SCORE if agreed else ALONE_SCORE)

    faces = [BoxedFace(_tight(face.box), sure=trust(face)) for face in found]
    seen = [face.box for face in found]
    faces += [BoxedFace(_tight(box), sure=False) for box in confirmed if not _touches(box, seen)]
    return replace(scene, faces=tuple(faces))
