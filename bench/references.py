"""The gallery at one and at ten million references: exact search, and the index that takes over.

`make bench-references` draws synthetic embeddings like those of the model that serves
(`bench.synthetic`), measures, and writes `bench/references.json` and the second measured part of
docs/scale.md. It takes some ten minutes on two cores, and 7 GB of memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psutil

import kyara  # noqa: F401  (before NumPy works, whose threads it settles)
from bench.gallery import NEW_REFERENCES
from bench.reference_page import write_references
from bench.results import RESULTS, load_results, save_part
from bench.synthetic import CHARACTERS_A_BLOCK, Block, SyntheticFaces
from bench.timing import measure_ms
from kyara.recognition.bundle import load_bundle
from kyara.recognition.gallery import Gallery, scale_to_unit
from kyara.recognition.neighbour_index import PROPOSED, count_lists
from kyara.registry import find_serving

REFERENCES = RESULTS.with_name("references.json")
SIZES = (100_000, 300_000, 1_000_000, 10_000_000)
QUERIES = 200
RIVALS_AT = 100_000
"""Graphs take too long to build at more."""
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
TIMED_REFERENCES = 2_000_000
"""So many are held as float32 for the exact search; more would need 10 GB beside the rest."""
REPEATS = 5
KEPT = 100
"""Nearest references that the exact search keeps of each question."""
TOP = 5
SEED = 7
TIMED = 30
"""Faces that are timed one by one."""


def measure(size: int, queries: int = QUERIES) -> dict[str, Any]:
    """Measure one size, and other indexes where it is `RIVALS_AT`."""
    bundle = load_bundle(find_serving())
    faces = SyntheticFaces(bundle.gallery_features, bundle.gallery_rows)
    drawn = draw(faces, size, queries)
    gallery, asked = drawn.as_gallery(), drawn.asked
    row, truth = measure_exact(drawn), search_exactly(drawn.blocks, asked)
    rivals = []
    if size == RIVALS_AT:
        rivals = [*measure_ours(gallery, asked, truth), *measure_rivals(gallery, asked, truth)]
    row |= measure_index(gallery, asked, truth)
    about = {"model": bundle.name, "dimension": faces.dimension, "questions": queries}
    return {**about, **row, "rivals": rivals}


@dataclass
class Drawn:
    """References, and questions about them.

    Attributes:
        blocks: as of a gallery; `float16`, as bundles and the store of taught references have them.
        rows: `int64 (R,)`, the character of each reference.
        lengths: as of a gallery.
        asked: `float32 (Q, features)`, more faces of its characters, spread over all of them.
    """

    blocks: list[np.ndarray]
    rows: np.ndarray
    lengths: np.ndarray
    asked: np.ndarray

    def as_gallery(self) -> Gallery:
        """Return the gallery of these references."""
        count = len(self.rows)
        return Gallery(tuple(self.blocks), self.rows, ("",) * count, np.zeros(count, bool), self.lengths)

    def take_first(self, references: int) -> Gallery:
        """Return a gallery of the first blocks as an exact search has them: `float32`."""
        blocks, count = [], 0
        for block in self.blocks:
            if count < references:
                blocks.append(scale_to_unit(block.astype(np.float32)))
                count += len(block)
        rows = self.rows[:count]
        lengths = self.lengths[: rows[-1] + 1]
        return Gallery(tuple(blocks), rows, ("",) * count, np.zeros(count, bool), lengths)


def draw(faces: SyntheticFaces, references: int, queries: int) -> Drawn:
    """Draw references and questions."""
    blocks, rows, asked, lengths = [], [], [], []
    enough = max(8, 1 + 2 * CHARACTERS_A_BLOCK * queries // references)  # of a block
    for block in faces.draw_many(SEED, references):
        blocks.append(block.features.astype(np.float16))
        rows.append(block.rows)
        asked.append(block.queries[:enough].copy())
        lengths.append(measure_lengths(block))
    each = -(-queries // len(asked))  # of a block
    chosen = np.concatenate([some[:each] for some in asked])
    chosen = chosen[np.linspace(0, len(chosen) - 1, queries).astype(int)]
    return Drawn(blocks, np.concatenate(rows), np.concatenate(lengths), chosen)


def measure_lengths(block: Block) -> np.ndarray:
    """Return the length of the sum of each character's references, as `Gallery.lengths` has it."""
    _, starts = np.unique(block.rows, return_index=True)
    return np.linalg.norm(np.add.reduceat(block.features, starts), axis=1)


def search_exactly(blocks: Sequence[np.ndarray], asked: np.ndarray) -> np.ndarray:
    """Return the positions of the `KEPT` nearest references of each face: `int64 (Q, KEPT)`."""
    best = np.full((len(asked), KEPT), -2, np.float32)
    places = np.zeros((len(asked), KEPT), np.int64)
    starts = np.cumsum([0, *map(len, blocks)])
    for start, block in zip(starts, blocks, strict=False):
        cosines = asked @ scale_to_unit(block.astype(np.float32)).T
        top = np.argpartition(-cosines, min(KEPT, len(block) - 1), axis=1)[:, :KEPT]
        found = np.concatenate([best, np.take_along_axis(cosines, top, 1)], axis=1)
        where = np.concatenate([places, top + start], axis=1)
        order = np.argsort(-found, axis=1, kind="stable")[:, :KEPT]
        best, places = np.take_along_axis(found, order, 1), np.take_along_axis(where, order, 1)
    return places


def measure_exact(drawn: Drawn) -> dict[str, Any]:
    """Measure the exact search, on at most `TIMED_REFERENCES`: its time grows with their number."""
    gallery = drawn.take_first(TIMED_REFERENCES)
    taken_ms, processor_ms = measure_ms(lambda: gallery.compare(drawn.asked[:1]), REPEATS)
    count, timed = len(drawn.rows), len(gallery.rows)
    return {
        "references": count,
        "characters": len(drawn.lengths),
        "exact_timed_on": timed,
        "exact_mb": round(count * gallery.blocks[0].shape[1] * 4 / 1e6),
        "exact_ms": round(taken_ms * count / timed, 1),
        "exact_processor_ms": round(processor_ms * count / timed, 1),
    }


def measure_index(gallery: Gallery, asked: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Measure the index of a gallery."""
    memory, began, worked = read_memory(), time.perf_counter(), time.process_time()
    indexed = gallery.with_index()
    index = indexed.index
    assert index is not None
    row = {
        "build_s": round(time.perf_counter() - began, 1),
        "build_processor_s": round(time.process_time() - worked, 1),
        "lists": count_lists(len(gallery.rows)),
        "references_mb": round(sum(block.nbytes for block in indexed.blocks) / 1e6),
        "index_mb": round(index.measure_bytes() / 1e6),
        "build_resident_mb": round(read_memory() - memory),
        "settings": [
            {"share": share} | measure_setting(probe(indexed, share), asked, truth) for share in SHARES
        ],
        **measure_changes(indexed),
        "resident_mb": round(read_memory()),
        "load": round(psutil.getloadavg()[0], 1),
    }
    return row


def probe(indexed: Gallery, share: float) -> Gallery:
    """Return a gallery whose index searches another share of its lists."""
    assert indexed.index is not None
    probed = max(1, round(count_lists(len(indexed.rows)) * share))
    return replace(indexed, index=replace(indexed.index, probed=probed))


def ask(gallery: Gallery, face: np.ndarray) -> tuple[np.ndarray, Gallery, np.ndarray]:
    """Answer one question as the classifier does: whom it was compared with, and the cosines."""
    characters = gallery.propose(face)
    narrowed = gallery.narrow(characters)
    return characters, narrowed, narrowed.compare(face[None])[0][0]


def measure_setting(gallery: Gallery, asked: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Measure recall and time of an index: everything until the cosines of the characters."""
    at_one, at_ten, same, compared = [], [], [], []
    for face, nearest in zip(asked, truth, strict=True):
        characters, narrowed, cosines = ask(gallery, face)
        best = characters[np.argsort(-cosines, kind="stable")[:TOP]]
        positions = gallery.find_positions(characters)
        ranked = positions[np.argsort(-narrowed.measure_cosines(face[None])[0], kind="stable")]
        at_one.append(nearest[0] in ranked[:1])
        at_ten.append(len(np.intersect1d(ranked[:10], nearest[:10])) / 10)
        same.append(best.tolist() == list(dict.fromkeys(gallery.rows[nearest].tolist()))[:TOP])
        compared.append(len(positions))
    times = [measure_ms(lambda face=face: ask(gallery, face), 1) for face in asked[:TIMED]]
    return {
        "recall_at_1": round(float(np.mean(at_one)), 4),
        "recall_at_10": round(float(np.mean(at_ten)), 4),
        "same_five": round(float(np.mean(same)), 4),
        "compared": round(float(np.mean(compared))),
        "ms": round(float(np.median([one[0] for one in times])), 2),
        "processor_ms": round(float(np.median([one[1] for one in times])), 2),
    }


def measure_changes(indexed: Gallery) -> dict[str, float]:
    """Measure adding `NEW_REFERENCES` references of a new character, and removing a character."""
    new = np.random.default_rng(SEED).standard_normal((NEW_REFERENCES, indexed.blocks[0].shape[1]))
    rows = np.full(NEW_REFERENCES, indexed.classes)
    names = [""] * NEW_REFERENCES

    def add() -> Gallery:
        return indexed.add(new, rows, names, taught=True, classes=indexed.classes + 1)

    return {
        "add_ms": round(measure_ms(add, 3)[0], 1),
        "remove_ms": round(measure_ms(lambda: indexed.remove(indexed.rows == 0), 3)[0], 1),
    }


def measure_ours(gallery: Gallery, asked: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Measure the index alone, as the rivals are."""
    began, worked = time.perf_counter(), time.process_time()
    indexed = gallery.with_index()
    built = {"build_s": round(time.perf_counter() - began, 1)}
    built["build_processor_s"] = round(time.process_time() - worked, 1)
    rows = []
    for share in (1 / 16, 1 / 4, 1):
        index = probe(indexed, share).index
        assert index is not None
        found = _measure_search(index.propose, asked, truth)
        mb = round(index.measure_bytes() / 1e6)
        name = "faiss, inverted file of 4-bit codes"
        rows.append({"name": name, "setting": f"{share:.0%} of the lists", **found, **built, "mb": mb})
    return rows


def measure_rivals(gallery: Gallery, asked: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Measure other indexes of the same references."""
    everything = gallery.take(np.arange(len(gallery.rows)))
    return [*_measure_scalar(everything, asked, truth), *_measure_graph(everything, asked, truth)]


def _measure_scalar(
    everything: np.ndarray, asked: np.ndarray, truth: np.ndarray
) -> list[dict[str, Any]]:
    """Faiss' inverted file with a byte for each number."""
    import faiss

    lists, dimension = count_lists(len(everything)), everything.shape[1]
    began, worked = time.perf_counter(), time.process_time()
    index = faiss.index_factory(dimension, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(everything[:: max(1, len(everything) // (64 * lists))])
    index.add(everything)
    built = {"build_s": round(time.perf_counter() - began, 1)}
    built["build_processor_s"] = round(time.process_time() - worked, 1)
    faiss.omp_set_num_threads(1)
    rows = []
    for share in (1 / 16, 1 / 4):
        how = faiss.SearchParametersIVF()
        how.nprobe = round(lists * share)
        found = _measure_search(
            lambda face, how=how: index.search(face[None], PROPOSED, params=how)[1][0], asked, truth
        )
        mb = round(len(everything) * (dimension + 8) / 1e6)
        name = "faiss, inverted file of bytes"
        rows.append({"name": name, "setting": f"{share:.0%} of the lists", **found, **built, "mb": mb})
    return rows


def _measure_graph(everything: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Usearch's graph (HNSW) with a byte for each number."""
    from usearch.index import Index

    index = Index(ndim=everything.shape[1], metric="cos", dtype="i8", connectivity=16, expansion_add=128)
    began, worked = time.perf_counter(), time.process_time()
    index.add(np.arange(len(everything)), everything, threads=psutil.cpu_count() or 1)
    built = {"build_s": round(time.perf_counter() - began, 1)}
    built["build_processor_s"] = round(time.process_time() - worked, 1)
    rows = []
    for expansion in (64, 200, 500):
        index.expansion_search = expansion
        count = min(expansion, PROPOSED)
        found = _measure_search(
            lambda face, count=count: index.search(face, count, threads=1).keys.astype(np.int64),
            asked,
            truth,
        )
        mb = round(index.memory_usage / 1e6)
        name = "usearch, graph (HNSW) of bytes"
        rows.append({"name": name, "setting": f"expansion {expansion}", **found, **built, "mb": mb})
    return rows


def _measure_search(
    search: Callable[[np.ndarray], np.ndarray], asked: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """Measure how many of the nearest references are among those an index finds, and the time."""
    found = [search(face) for face in asked]
    times = [measure_ms(lambda face=face: search(face), 1)[1] for face in asked[:TIMED]]
    hits = [np.isin(nearest[:10], one) for nearest, one in zip(truth, found, strict=True)]
    return {
        "recall_at_1": round(float(np.mean([one[0] for one in hits])), 4),
        "recall_at_10": round(float(np.mean(hits)), 4),
        "processor_ms": round(float(np.median(times)), 2),
    }


def read_memory() -> float:
    """Return this process' resident memory in MB."""
    return psutil.Process().memory_info().rss / 1e6


def main() -> None:
    """Measure every size, or some, each written as soon as it is done; then write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.references", description=__doc__)
    parser.add_argument("--only", nargs="+", type=int, metavar="N", help="these sizes")
    parser.add_argument("--render", action="store_true", help="measure nothing, write the page again")
    options = parser.parse_args()
    for size in [] if options.render else options.only or SIZES:
        began = time.perf_counter()
        data = measure(size)
        save_part(REFERENCES, str(size), data, time.perf_counter() - began, quick=False)
        print(f"{size:,} references: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    write_references(load_results(REFERENCES))


if __name__ == "__main__":
    main()
