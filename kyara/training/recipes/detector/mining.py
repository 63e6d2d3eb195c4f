"""What a detector finds out about its own data: pseudo-labels, doubtful places, mistakes, missed faces.

Pictures that nobody boxed get their faces where the network and the LBP cascade, which share nothing,
agree. Where only one of them sees a face the place is doubtful and not counted at all. In boxed pictures
a sure box without a label that the cascade confirms is doubtful too; every other false box is a mistake,
around which views are made, as around the faces that it does not find. A label beside which the network
is sure of a face that overlaps it is doubtful, like that face: one of them is in the wrong place, and
nobody knows which. How sure is sure follows from how often the network errs on what is boxed.

Source: co-training (Blum and Mitchell 1998, https://doi.org/10.1145/279943.279962) and online hard
example mining (Shrivastava et al. 2016, https://arxiv.org/abs/1604.03540).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kyara.evaluation.detection import Looked, match_faces
from kyara.storage.atomic import replace_file
from kyara.training.recipes.detector.scenes import BoxedFace, Scene
from kyara.training.recipes.detector.views import Sources
from kyara.vision.boxes import Box, FoundFace, grow_box, measure_overlap
from kyara.vision.detectors.base import FaceDetector
from kyara.vision.detectors.network import NetworkDetector

MINED_FILE = "mined.json"
FLOOR = 0.05
"""Scores below it are background."""
FALSE_A_PICTURE = {"alone": 0.01, "agreed": 0.2, "doubtful": 2.0}
"""Each threshold leaves so many false boxes a picture on what is boxed: a face that the network alone is
believed, one that the cascade must confirm, and a place that is not taken for background."""
SAME_FACE = 0.3
"""Least intersection over union of two boxes on one face; the two detectors' frames differ."""

BESIDE = 0.1
"""Least intersection over union with which a sure face that does not find a label is at odds with it."""


def mine_sources(
    sources: Sources,
    network: NetworkDetector,
    cascade: FaceDetector,
    progress: Callable[[int], object] = lambda count: None,
) -> Sources:
    """Add what a half-trained network finds to what it is trained on.

    Returns:
        The unlabelled pictures are among the boxed ones, after them.
    """
    boxed = [*sources.pictures, *sources.negatives]
    looked = []
    for scene in boxed:
        looked.append(_match(scene, network))
        progress(1)
    false = [
        [face for face, match in zip(found, seen.matches, strict=True) if match == -1]
        for found, seen in looked
    ]
    thresholds = choose_thresholds([face.score for faces in false for face in faces], len(boxed))
    judged = [
        _judge(_compare(scene, found, seen, thresholds), faces, thresholds, cascade)
        for scene, (found, seen), faces in zip(boxed, looked, false, strict=True)
    ]
    labelled = []
    for scene in sources.unlabelled:
        labelled.append(_label(scene, network, cascade, thresholds))
        progress(1)
    count = len(sources.pictures)
    pictures, negatives = [*judged[:count], *labelled], judged[count:]
    return replace(sources, pictures=pictures, negatives=negatives, unlabelled=())


def choose_thresholds(false_scores: Sequence[float], pictures: int) -> dict[str, float]:
    """Return for each kind in `FALSE_A_PICTURE` the score that leaves so many false boxes a picture."""
    falling = sorted(false_scores, reverse=True)
    return {
        kind: falling[place] if (place := int(rate * pictures)) < len(falling) else FLOOR
        for kind, rate in FALSE_A_PICTURE.items()
    }


def keep_mined(sources: Sources, run: Path) -> None:
    """Write what was found into a run's folder."""
    kept = {
        kind: [
            {"faces": [asdict(face) for face in s.faces], "mistaken": s.mistaken, "missed": s.missed}
            for s in scenes
        ]
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
    mistaken, missed = tuple(map(tuple, row["mistaken"])), tuple(row.get("missed", ()))
    return replace(scene, faces=faces, mistaken=mistaken, missed=missed)


def _confirm(scene: Scene, cascade: FaceDetector) -> list[Box]:
    """Return the cascade's boxes, made tight."""
    return [
        grow_box(face.box, 1 / cascade.box_scale, scene.width, scene.height)
        for face in cascade.find(scene.levels[0])
    ]


def _touches(box: Box, others: Sequence[Box], least: float = SAME_FACE) -> bool:
    return any(measure_overlap(box, other) > least for other in others)


def _tight(box: Box) -> tuple[float, float, float, float]:
    return float(box.x), float(box.y), float(box.width), float(box.height)


def _known(scene: Scene) -> list[Box]:
    return [Box(*map(round, face.box)) for face in scene.faces]


def _match(scene: Scene, network: NetworkDetector) -> tuple[list[FoundFace], Looked]:
    """Return what the network finds, the surest first, and which labels that is."""
    found = sorted(network.find_upright(scene.levels[0], FLOOR), key=lambda face: -face.score)
    return found, match_faces("", _known(scene), found)


def _compare(
    scene: Scene, found: Sequence[FoundFace], seen: Looked, thresholds: dict[str, float]
) -> Scene:
    """Tell which faces of a boxed picture the network misses, and which labels it is at odds with."""
    shown = seen.scores >= thresholds["agreed"]
    missing = set(range(len(scene.faces))) - set(seen.matches[shown].tolist())
    sure = [face.box for face in found if face.score >= thresholds["alone"]]
    displaced, faces, labels = [], list(scene.faces), _known(scene)
    for place in sorted(missing):
        beside = [box for box in sure if measure_overlap(box, labels[place]) > BESIDE]
        if beside:
            faces[place] = replace(faces[place], sure=False)
            missing.discard(place)
            displaced += [BoxedFace(_tight(box), sure=False) for box in beside]
    return replace(scene, faces=(*faces, *displaced), missed=tuple(sorted(missing)))


def _judge(
    scene: Scene, false: Sequence[FoundFace], thresholds: dict[str, float], cascade: FaceDetector
) -> Scene:
    """Tell a boxed picture's mistakes from places where a box may be missing."""
    sure = [face for face in false if face.score >= thresholds["agreed"]]
    confirmed = _confirm(scene, cascade) if sure else []
    doubtful = [face for face in sure if _touches(face.box, confirmed)]
    mistaken = tuple(
        _tight(face.box)
        for face in false
        if face.score >= thresholds["doubtful"] and face not in doubtful
    )
    faces = (*scene.faces, *(BoxedFace(_tight(face.box), sure=False) for face in doubtful))
    return replace(scene, faces=faces, mistaken=mistaken)


def _label(
    scene: Scene, network: NetworkDetector, cascade: FaceDetector, thresholds: dict[str, float]
) -> Scene:
    """Box the faces of a picture that nobody has boxed."""
    found = network.find_upright(scene.levels[0], thresholds["doubtful"])
    confirmed = _confirm(scene, cascade)

    def trust(face: FoundFace) -> bool:
        return face.score >= thresholds["agreed" if _touches(face.box, confirmed) else "alone"]

    faces = [BoxedFace(_tight(face.box), sure=trust(face)) for face in found]
    seen = [face.box for face in found]
    faces += [BoxedFace(_tight(box), sure=False) for box in confirmed if not _touches(box, seen)]
    return replace(scene, faces=tuple(faces))
