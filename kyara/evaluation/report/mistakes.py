"""The part of the report that shows faces: mistakes side by side, strangers, a panel of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kyara.evaluation.boxes import CutFaces
from kyara.evaluation.measuring import list_confusions
from kyara.evaluation.queries import Answered
from kyara.evaluation.report.pictures import Portraits
from kyara.evaluation.running import Evaluation
from kyara.evaluation.tagging import TagEvaluation
from kyara.evaluation.unknowns import Separation
from kyara.vision.images import inline_picture

MOST_PAIRS = 20
MOST_FACES_OF_PAIR = 3
PANEL_FACES = 12
PANEL_ANSWERS = 3
MOST_STRANGERS = 12


@dataclass(frozen=True)
class Person:
    """A character as the report shows it.

    Attributes:
        label: of the character.
        name: what people read; the label where no name is established.
        work: what people read; may be empty.
        picture: `data:` address; None where the dataset has no drawing.
    """

    label: str
    name: str
    work: str = ""
    picture: str | None = None


@dataclass(frozen=True)
class Prediction:
    """One face and what the model says of it.

    Attributes:
        picture: `data:` address of the face.
        source: where it is in the dataset.
        truth: who it is; None for a stranger.
        answers: who it could be, the likeliest first, and the confidence of each.
        known: whether the verdict is "known".
        rank: place of the true character among the answers, from 1; None for a stranger.
    """

    picture: str
    source: str
    truth: Person | None
    answers: tuple[tuple[Person, float], ...]
    known: bool
    rank: int | None = None


@dataclass(frozen=True)
class Pair:
    """Faces of one character that were taken for another.

    Attributes:
        truth: who they are.
        taken_for: who they were taken for.
        count: how many.
        share: of all faces of the character, 0 to 1.
        faces: up to `MOST_FACES_OF_PAIR` of them.
    """

    truth: Person
    taken_for: Person
    count: int
    share: float
    faces: tuple[Prediction, ...]


class Album:
    """Makes the people and predictions of one evaluation."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        model = evaluation.classifier
        # whom the evaluation itself taught has no name: the bundle's own characters come last and win
        self._characters = {c.label: c for c in (*model.characters, *model.bundle.characters)}
        queries = [face.path for face in evaluation.answered.faces]
        self.portraits = Portraits(evaluation.manifest, queries)

    def person(self, label: str, picture: Path | None = None) -> Person:
        """Return a character, with a picture where one is given."""
        character = self._characters[label]
        picture_data = inline_picture(picture) if picture else None
        # whoever measures a model needs to tell the unnamed apart
        name = character.name_in("en") if character.name else label
        work = character.work_in("en") or label.rpartition("/")[0]
        return Person(label, name, work, picture_data)

    def prediction(self, answered: Answered, row: int, cut: CutFaces | None = None) -> Prediction:
        face = answered.faces[row]
        scores = answered.scores[row]
        order = np.argsort(-scores, kind="stable")[:PANEL_ANSWERS]
        return Prediction(
            inline_picture(face.path, cut.windows[row].box if cut else None),
            self._evaluation.manifest.locate(face).as_posix(),
            self.person(face.label),
            tuple((self.person(answered.labels[n]), float(answered.confidences[row, n])) for n in order),
            bool(answered.accepted[row]),
            int((scores > scores[answered.targets[row]]).sum()) + 1,
        )

    def nearest_drawing(self, row: int, label: str) -> Path | None:
        """Return the reference of a character that is nearest to a face, else its best drawing."""
        features = self._evaluation.answered.features[row]
        for neighbour in self._evaluation.classifier.nearest(features, label=label, count=1):
            path = self.portraits.of_reference(neighbour.reference)
            if path is not None:
                return path
        return self.portraits.of_character(label)


def list_pairs(album: Album, answered: Answered) -> list[Pair]:
    """Return the pairs that are confused most, the worst first, with their faces."""
    pairs = []
    for entry in list_confusions(answered, MOST_PAIRS):
        label, taken_for = entry["label"], entry["taken_for"]
        rows = np.flatnonzero(
            (answered.targets == answered.labels.index(label))
            & (answered.predicted == answered.labels.index(taken_for))
        )
        # the surest mistakes first: they cost most
        rows = rows[np.argsort(-answered.confidences[rows].max(axis=1), kind="stable")]
        pairs.append(
            Pair(
                album.person(label, album.portraits.of_character(label)),
                album.person(taken_for, album.nearest_drawing(int(rows[0]), taken_for)),
                entry["count"],
                entry["share"],
                tuple(album.prediction(answered, int(row)) for row in rows[:MOST_FACES_OF_PAIR]),
            )
        )
    return pairs


def draw_panel(album: Album, answered: Answered) -> list[Prediction]:
    """Return twelve faces drawn by lot, of as many characters as possible."""
    lot = np.random.default_rng(0).permutation(len(answered.faces))
    _, first = np.unique(answered.targets[lot], return_index=True)
    # one face of each character in the order of the lot, then whoever comes
    chosen = dict.fromkeys([*np.sort(first), *range(len(lot))])
    return [album.prediction(answered, int(lot[place])) for place in list(chosen)[:PANEL_FACES]]


def list_box_mistakes(album: Album, cut: CutFaces) -> list[Prediction]:
    """Return faces that are not recognised as the detector cuts them, the surest mistakes first."""
    answered = cut.answered
    rows = np.flatnonzero(~answered.correct)
    rows = rows[np.argsort(-answered.confidences[rows].max(axis=1), kind="stable")]
    return [album.prediction(answered, int(row), cut) for row in rows[:PANEL_FACES]]


def list_strange(album: Album, answered: Answered) -> list[Prediction]:
    """Return known faces that are called unknown, the strangest first."""
    rows = np.argsort(answered.open_set_scores, kind="stable")
    rows = [row for row in rows if not answered.accepted[row]]
    return [album.prediction(answered, int(row)) for row in rows[:MOST_STRANGERS]]


def list_familiar(album: Album, separation: Separation) -> list[Prediction]:
    """Return the strangers that look most like somebody known."""
    rows = np.argsort(-separation.unknown, kind="stable")[:MOST_STRANGERS]
    return [
        Prediction(
            inline_picture(separation.paths[row]),
            separation.paths[row].name,
            None,
            ((album.person(separation.taken_for[row]), float("nan")),),
            bool(separation.unknown[row] >= separation.threshold),
        )
        for row in rows
    ]


@dataclass(frozen=True)
class TaggedPrediction:
    """One picture, its labels, and those that the model gives it.

    Attributes:
        picture: `data:` address.
        right: labels that it has and gets.
        missed: labels that it has and does not get.
        wrong: labels that it gets and does not have.
    """

    picture: str
    right: tuple[str, ...]
    missed: tuple[str, ...]
    wrong: tuple[str, ...]


def draw_tag_panel(evaluation: TagEvaluation, names: Mapping[str, str]) -> list[TaggedPrediction]:
    """Return twelve pictures drawn by lot and their labels by name."""
    shown = np.array([names[label] for label in evaluation.labels])
    panel = []
    for row in np.random.default_rng(0).permutation(len(evaluation.paths))[:PANEL_FACES]:
        truth, said = evaluation.truth[row], evaluation.predicted[row]
        groups = (truth & said, truth & ~said, said & ~truth)
        lists = [tuple(shown[group].tolist()) for group in groups]
        panel.append(TaggedPrediction(inline_picture(evaluation.paths[row]), *lists))
    return panel
