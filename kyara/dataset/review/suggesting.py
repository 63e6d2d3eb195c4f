"""The model looks at an inbox: five answers for each face, and clusters of those it does not know.

In: pictures and a loaded classifier. Out: `Suggestions`, the most useful faces first. scikit-learn finds
the clusters; the site, which has none, runs this in a process of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kyara.dataset.review.labelling.suggestions import Suggestion, Suggestions
from kyara.errors import KyaraError
from kyara.recognition.answers import FaceAnswers
from kyara.recognition.embeddings import extract_cached
from kyara.recognition.gallery import scale_to_unit
from kyara.storage.clock import stamp_time

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier

SURE_CONFIDENCE = 0.9
"""From here on a known face counts as sure."""
TOP_K = 5
SMALLEST_CLUSTER = 2


def suggest(
    classifier: Classifier,
    paths: Mapping[str, Path],
    cache: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> Suggestions:
    """Ask the model about faces.

    Args:
        classifier: the loaded model.
        paths: id → picture file.
        cache: folder for features, kept by content.
        progress: called with 1 after each face.

    Returns:
        The suggestions. A file that cannot be read has none; the note says how many there are.
    """
    view = classifier.frozen()
    faces, rows = _extract(view, paths, cache, progress)
    broken = len(paths) - len(faces)
    notes = [f"{broken} file{'s' * (broken > 1)} cannot be read."] if broken else []
    features = np.concatenate(rows) if rows else np.zeros((0, view.backbone.dimension), np.float32)
    answers = view.answer(features, top_k=TOP_K) if len(faces) else []
    kinds = [choose_kind(face) for face in answers]
    unknown = [place for place, kind in enumerate(kinds) if kind == "new"]
    try:
        clusters = find_clusters(features[unknown])
    except ImportError:
        clusters = np.full(len(unknown), -1)
        notes.append("Look-alikes are not put together: scikit-learn is not installed.")
    groups = [
        face.answers[0].label if kind == "sure" else ""
        for face, kind in zip(answers, kinds, strict=True)
    ]
    for place, cluster in zip(unknown, clusters.tolist(), strict=True):
        groups[place] = f"cluster {cluster}" if cluster >= 0 else ""
    order = _arrange(answers, kinds, groups)
    found = {faces[place]: _describe(answers[place], kinds[place], groups[place]) for place in order}
    return Suggestions(view.bundle.name, view.bundle.version, stamp_time(), " ".join(notes), found)


def _extract(
    classifier: Classifier, paths: Mapping[str, Path], cache: Path, progress: Callable[[int], None]
) -> tuple[list[str], list[np.ndarray]]:
    """Return the ids of the readable faces and a row of features for each."""
    faces, rows = [], []
    for face, path in paths.items():
        try:
            rows.append(extract_cached(classifier.backbone, [path], cache))
            faces.append(face)
        except KyaraError:
            pass  # an operator sees a broken picture, and says that it is no face
        progress(1)
    return faces, rows


def choose_kind(face: FaceAnswers) -> str:
    """Say how the model stands to a face: `uncertain`, `new` or `sure`."""
    if face.verdict == "unknown":
        return "new"
    sure = face.verdict == "known" and face.answers[0].confidence >= SURE_CONFIDENCE
    return "sure" if sure else "uncertain"


def find_clusters(features: np.ndarray) -> np.ndarray:
    """Put look-alikes together.

    Args:
        features: `float32 (N, features)` of any length.

    Returns:
        `int64 (N,)`: the number of each face's cluster, -1 where it looks like no other.

    Raises:
        ImportError: scikit-learn is not installed.

    Source:
        McInnes, Healy & Astels 2017, hdbscan: Hierarchical density based clustering.
    """
    from sklearn.cluster import HDBSCAN

    if len(features) < 2 * SMALLEST_CLUSTER:
        return np.full(len(features), -1)
    # "leaf": the tightest clusters; the default joins nearly everything into two of them (measured)
    clusters = HDBSCAN(
        min_cluster_size=SMALLEST_CLUSTER,
        cluster_selection_method="leaf",
        copy=True,  # type: ignore[arg-type]  # its stub says str
    )
    return clusters.fit_predict(scale_to_unit(features)).astype(np.int64)


def _arrange(answers: Sequence[FaceAnswers], kinds: Sequence[str], groups: Sequence[str]) -> list[int]:
    """Order the faces: the closest calls first, then large clusters, then the sure ones."""
    sizes = Counter(groups)
    sizes[""] = 1

    def rank(place: int) -> tuple[int, float, str, float, int]:
        face, kind, group = answers[place], kinds[place], groups[place]
        confidences = [answer.confidence for answer in face.answers] + [0.0, 0.0]
        if kind == "uncertain":
            return 0, confidences[0] - confidences[1], "", 0.0, place
        return 1 if kind == "new" else 2, -float(sizes[group]), group, -confidences[0], place

    return sorted(range(len(answers)), key=rank)


def _describe(face: FaceAnswers, kind: str, group: str) -> Suggestion:
    answers = tuple((answer.label, round(answer.confidence, 4)) for answer in face.answers)
    return Suggestion(kind, group, answers)
