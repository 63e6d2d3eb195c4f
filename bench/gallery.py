"""The exact search of the gallery: one face against every reference, at growing sizes.

The references are random unit vectors in clusters, one cluster a character. The figures of
`docs/scale.md` come from here: `python -m bench.gallery --dimension 512 2048`.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

import kyara  # noqa: F401  (before NumPy, whose threads it settles)
from bench.timing import measure_ms
from kyara.recognition.gallery import BLOCK_REFERENCES, Gallery, scale_to_unit
from kyara.recognition.quantised import MIN_REFERENCES

SIZES = (1_000, 10_000, 100_000)
DIMENSION = 512
REFERENCES_PER_CHARACTER = 8
SPREAD = 0.7
"""Length of the noise around a character's centre of length 1: cosines of 0.67 within a character."""
NEW_REFERENCES = 20
BEST = 50


def measure(quick: bool) -> dict[str, Any]:
    """Measure every size, and scikit-learn's exact search beside it."""
    sizes, repeats = (SIZES[:2], 3) if quick else (SIZES, 15)
    return {"rows": [measure_size(size, DIMENSION, repeats) for size in sizes]}


def describe(data: dict[str, Any]) -> list[str]:
    """Turn the measurements into a table."""
    lines = [
        f"{DIMENSION} features, one thread. Kyara's time includes the highest cosine and the prototype "
        "of every character; the rival, scikit-learn's `NearestNeighbors` (brute force, cosine), "
        "finds only the nearest reference. *Eight bits first*: all are compared in eight bits and the "
        f"best {BEST} characters exactly, as few faces are with {MIN_REFERENCES:,} and more references; "
        "that takes half as much memory again. More, and what takes over past this: "
        "[scale.md](scale.md).",
        "",
        "| references | Kyara, ms a face | eight bits first, ms a face | in a request of 32, ms a face "
        "| scikit-learn, ms a face | ratio | memory MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in data["rows"]:
        ratio = row["scikit_learn_ms"] / row["one_face_ms"]
        lines.append(
            f"| {row['references']:,} | {row['one_face_ms']} | {row['one_face_eight_bits_first_ms']} "
            f"| {row['of_32_faces_each_processor_ms']} | {row['scikit_learn_ms']} | {ratio:.1f} times "
            f"| {row['memory_mb']} |"
        )
    return lines


def measure_rival_ms(gallery: Gallery, face: np.ndarray, repeats: int) -> float:
    """Return the median time in which scikit-learn finds the reference nearest to one face."""
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits

    everything = gallery.take(np.arange(sum(map(len, gallery.blocks))))
    with threadpool_limits(1):
        search = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="cosine").fit(everything)
        return measure_ms(lambda: search.kneighbors(face), repeats)[0]


def draw_clusters(references: int, dimension: int, rng: np.random.Generator) -> Gallery:
    """Make a gallery of random characters."""
    classes = -(-references // REFERENCES_PER_CHARACTER)
    centres = scale_to_unit(rng.standard_normal((classes, dimension), np.float32))
    gallery = Gallery.empty(classes)
    for start in range(0, references, BLOCK_REFERENCES):
        rows = np.arange(start, min(references, start + BLOCK_REFERENCES)) // REFERENCES_PER_CHARACTER
        features = draw_around(centres[rows], rng)
        gallery = gallery.add(features, rows, [""] * len(rows), taught=True)
    return gallery


def draw_around(centres: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one unit vector near each centre: `float32 (N, dimension)`."""
    noise = scale_to_unit(rng.standard_normal(centres.shape, np.float32))
    return scale_to_unit(centres + np.float32(SPREAD) * noise)


def measure_size(references: int, dimension: int, repeats: int) -> dict[str, float]:
    """Measure one size: searching for 1 and for 32 faces, adding and removing a character."""
    rng = np.random.default_rng(references)
    gallery = draw_clusters(references, dimension, rng)
    faces = draw_around(gallery.take(rng.integers(0, references, 32)), rng)
    row = np.full(NEW_REFERENCES, gallery.classes)
    new = draw_around(np.repeat(faces[:1], NEW_REFERENCES, axis=0), rng)
    names = [""] * NEW_REFERENCES

    def add() -> Gallery:
        return gallery.add(new, row, names, taught=True, classes=gallery.classes + 1)

    def remove() -> Gallery:
        return gallery.remove(gallery.rows == 0)

    quantised = gallery.with_quantised()

    def search() -> tuple[np.ndarray, np.ndarray]:
        nearest = quantised.compare_roughly(faces[:1])[0][0]
        return quantised.narrow(np.sort(np.argsort(-nearest)[:BEST])).compare(faces[:1])

    one = measure_ms(lambda: gallery.compare(faces[:1]), repeats)
    return {
        "references": references,
        "dimension": dimension,
        "one_face_ms": round(one[0], 2),
        "one_face_processor_ms": round(one[1], 2),
        "one_face_eight_bits_first_ms": round(measure_ms(search, repeats)[0], 2),
        "scikit_learn_ms": round(measure_rival_ms(gallery, faces[:1], repeats), 2),
        "of_32_faces_each_processor_ms": round(
            measure_ms(lambda: gallery.compare(faces), 3)[1] / len(faces), 2
        ),
        "add_20_references_processor_ms": round(measure_ms(add, 5)[1], 2),
        "remove_a_character_processor_ms": round(measure_ms(remove, 5)[1], 2),
        "memory_mb": round(sum(block.nbytes for block in gallery.blocks) / 1e6, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--dimension", type=int, nargs="+", default=[512])
    parser.add_argument("--repeats", type=int, default=30, help="timed searches (default 30)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows = [
        measure_size(references, dimension, options.repeats)
        for dimension in options.dimension
        for references in options.references
    ]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(" · ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
