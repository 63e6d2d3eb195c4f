"""First stage of evaluation: a dataset and a protocol → who is taught, who is asked, who is a stranger.

closed       the model knows everybody who is asked
open-set     the same, and strangers are shown to it
one-shot     everybody who is asked was taught a moment ago, from one reference each
few-shot     the same from several references
pictures     whole pictures, the whole way from detector to name
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kyara.dataset.manifest import Face, Manifest
from kyara.errors import BadInputError
from kyara.vision.boxes import Box
from kyara.vision.picture_files import list_pictures

PROTOCOLS = ("closed", "one-shot", "few-shot", "open-set", "pictures")
NOVEL_SPLIT = "novel"


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        protocol: one of `PROTOCOLS`.
        split: of the dataset; None is `novel` where the protocol teaches and there is one, else
            `test`.
        kind: of drawing that is asked (rows without a kind always are); None is every kind.
        references: faces taught per character in `few-shot`.
        reference_kind: of drawing that is taught beside the reference; None is every kind.
        draws: seeded choices of references that are averaged, where there is a choice.
        seed: of the first draw.
        gallery: False leaves the reference gallery out.
        boxes: measure on what the face detector cuts out as well.
        robust: measure on altered crops as well; see `robustness`.
        detector: its name.
    """

    protocol: str = "closed"
    split: str | None = None
    kind: str | None = None
    references: int = 3
    reference_kind: str | None = None
    draws: int = 1
    seed: int = 1
    gallery: bool = True
    boxes: bool = False
    robust: bool = False
    detector: str | None = None

    @property
    def taught(self) -> int:
        """References per character that the protocol teaches; 0 if it teaches nobody."""
        return {"one-shot": 1, "few-shot": self.references}.get(self.protocol, 0)


@dataclass(frozen=True)
class Draw:
    """One draw of a protocol.

    Attributes:
        queries: the faces that are asked.
        references: label → the faces that are taught first; empty if nobody is.
    """

    queries: tuple[Face, ...]
    references: Mapping[str, tuple[Face, ...]]


@dataclass(frozen=True)
class Unknowns:
    """Faces of people whom the model does not know, or must forget first.

    Attributes:
        name: of where they come from.
        paths: of the pictures.
        labels: characters that are taken out of the model before it is asked about them.
        boxes: the tight face in each picture, where a dataset tells; else the picture is the crop.
    """

    name: str
    paths: tuple[Path, ...]
    labels: frozenset[str] = frozenset()
    boxes: tuple[Box | None, ...] = ()

    @property
    def pictures(self) -> list[tuple[Path, Box | None]]:
        return list(zip(self.paths, self.boxes or [None] * len(self.paths), strict=True))


def choose_split(manifest: Manifest, options: Options) -> str:
    """Return the split that is asked."""
    if options.split is not None:
        return options.split
    novel = any(face.split == NOVEL_SPLIT for face in manifest.faces)
    return NOVEL_SPLIT if options.taught and novel else "test"


def plan_tasks(manifest: Manifest, options: Options) -> list[Draw]:
    """Return what is taught and asked: one task a draw.

    Raises:
        BadInputError: the split is empty, or nothing of the kind is left to ask.
    """
    faces = manifest.of_split(choose_split(manifest, options))
    if not options.taught:
        return [Draw(tuple(_of_kind(faces, options.kind)), {})]
    seeds = range(options.seed, options.seed + options.draws)
    tasks = [_draw_task(manifest, faces, options, seed) for seed in seeds]
    # where no draw has a choice they are all the same: one is enough
    return tasks if any(task != tasks[0] for task in tasks) else tasks[:1]


def find_unknowns(
    folder: Path | None,
    manifest: Manifest | None = None,
    split: str = NOVEL_SPLIT,
    kind: str | None = None,
) -> list[Unknowns]:
    """Return the strangers of a folder and of a dataset's split, if they are given.

    Args:
        folder: pictures of nobody whom the model knows.
        manifest: a dataset whose characters are taken out of the model.
        split: of that dataset.
        kind: of drawing, as in `Options`; references are left out.

    Raises:
        BadInputError: there are no pictures.
    """
    groups = []
    if folder is not None:
        paths = tuple(list_pictures(folder))
        if not paths:
            raise BadInputError(f"{folder} has no pictures.")
        groups.append(Unknowns(folder.resolve().name, paths))
    if manifest is not None:
        everybody = manifest.of_split(split)
        faces = _of_kind([face for face in everybody if face.role != "reference"], kind)
        name = " and ".join(root.resolve().name for root in manifest.roots)
        labels = frozenset(face.label for face in everybody)
        paths, boxes = tuple(face.path for face in faces), tuple(face.box for face in faces)
        groups.append(Unknowns(f"{name}, {split}", paths, labels, boxes))
    return groups


def _of_kind(faces: Sequence[Face], kind: str | None) -> list[Face]:
    chosen = [face for face in faces if kind is None or face.kind in ("", kind)]
    if not chosen:
        known = ", ".join(sorted({face.kind for face in faces if face.kind}))
        raise BadInputError(f"There are no faces of the kind {kind!r}; there are: {known}.")
    return chosen


def _draw_task(manifest: Manifest, faces: Sequence[Face], options: Options, seed: int) -> Draw:
    """Choose each character's references.

    Everybody who has a reference is taught, so that everybody can be mistaken for them. Asked is who got
    as many references as were wanted and has a face of the kind left.
    """
    has_roles = any(face.role == "reference" for face in manifest.faces)
    queries: list[Face] = []
    references: dict[str, tuple[Face, ...]] = {}
    for label, own in _group_by_label(faces).items():
        shuffled = sorted(own, key=lambda face: _hash(seed, manifest.locate(face)))
        first = _choose_first(shuffled, has_roles, manifest)
        if first is None:
            continue
        others = [face for face in shuffled if face is not first]
        further = sorted(_choose_further(others, options), key=manifest.locate)
        references[label] = (first, *further)
        if len(references[label]) == options.taught:
            queries += [
                face for face in own if face not in references[label] and _is_query(face, options)
            ]
    if not queries:
        asked = f"one of the kind {options.kind!r}" if options.kind else "one"
        raise BadInputError(
            f"No character of the split {faces[0].split!r} has {options.taught} faces to teach, a "
            f"reference among them, and {asked} left to ask."
        )
    return Draw(tuple(queries), references)


def _choose_first(shuffled: Sequence[Face], has_roles: bool, manifest: Manifest) -> Face | None:
    """Return the official reference; where a dataset names none, the first of the shuffled faces."""
    if not has_roles:
        return shuffled[0]
    official = [face for face in shuffled if face.role == "reference"]
    return min(official, key=manifest.locate, default=None)


def _choose_further(others: Sequence[Face], options: Options) -> list[Face]:
    """Choose the references beside the first, leaving one face to ask wherever that is possible."""
    allowed = [face for face in others if options.reference_kind in (None, face.kind)]
    asked = [face for face in others if _is_query(face, options)]
    kept = set() if set(asked) - set(allowed) else set(asked[-1:])
    return [face for face in allowed if face not in kept][: options.taught - 1]


def _is_query(face: Face, options: Options) -> bool:
    """References stand for their character and are never asked."""
    return face.role != "reference" and (options.kind is None or face.kind in ("", options.kind))


def _group_by_label(faces: Iterable[Face]) -> dict[str, list[Face]]:
    groups: dict[str, list[Face]] = defaultdict(list)
    for face in faces:
        groups[face.label].append(face)
    return dict(sorted(groups.items()))


def _hash(seed: int, path: Path) -> str:
    return hashlib.sha256(f"{seed} {path.as_posix()}".encode()).hexdigest()
