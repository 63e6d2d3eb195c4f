"""What a site answers: JSON in, frozen dataclasses out. Members that are not named here are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["known", "probably", "unknown"]
"""`known`: a name to rely on; `probably`: it may well be right; `unknown`: the answers are guesses."""


@dataclass(frozen=True)
class Model:
    """Which model answered.

    Attributes:
        name: of the bundle.
        version: changes with any part of the model.
    """

    name: str
    version: str

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Model:
        """Read what a site says."""
        return cls(said["name"], said["version"])


@dataclass(frozen=True)
class Character:
    """Somebody whom the model knows.

    Attributes:
        label: stable id.
        name: in the language that was asked for.
        work: the series; may be empty.
    """

    label: str
    name: str
    work: str

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Character:
        """Read what a site says."""
        return cls(said["label"], said["name"], said["work"])


@dataclass(frozen=True)
class Answer:
    """One ranked character.

    Attributes:
        character: who it is.
        confidence: calibrated probability, 0 to 1.
        similarity: cosine to the nearest reference face, or None.
        url: the character's page at MyAnimeList, or None.
    """

    character: Character
    confidence: float
    similarity: float | None
    url: str | None

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Answer:
        """Read what a site says."""
        return cls(Character.read(said), said["confidence"], said.get("similarity"), said.get("url"))


@dataclass(frozen=True)
class Box:
    """Where a face lies, in pixels of the picture, the origin top left."""

    x: int
    y: int
    width: int
    height: int

    def to_json(self) -> dict[str, int]:
        """Return it as the site reads it."""
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height}

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Box:
        """Read what a site says."""
        return cls(said["x"], said["y"], said["width"], said["height"])


@dataclass(frozen=True)
class Problem:
    """What is wrong with one picture or crop of several, where the others are answered.

    Attributes:
        title: name of the kind of problem.
        status: what the picture alone would be answered with.
        detail: the sentence for people.
    """

    title: str
    status: int
    detail: str

    @classmethod
    def find(cls, said: Mapping[str, Any]) -> Problem | None:
        """Read what is wrong with a picture or crop, if anything is."""
        error = said.get("error")
        return error and cls(error["title"], error["status"], error["detail"])


@dataclass(frozen=True)
class Face:
    """What the site says of one face.

    Attributes:
        verdict: how far the first answer can be relied on.
        answers: the best first.
        box: where it lies in its picture; None of a crop.
        error: why a crop could not be read; there are no answers then.
        warning: what is wrong with a crop that is answered all the same; else empty.
    """

    verdict: Verdict
    answers: tuple[Answer, ...]
    box: Box | None = None
    error: Problem | None = None
    warning: str = ""

    def in_words(self) -> str:
        """Return who it is, as the page says it: only a name to rely on stands alone."""
        if self.error:
            return self.error.detail
        if self.verdict == "unknown":
            return "Not someone I know"
        best = self.answers[0]
        name = best.character.name + (f" ({best.character.work})" if best.character.work else "")
        return f"{name}, {best.confidence:.0%}" if self.verdict == "known" else f"Probably {name}"

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Face:
        """Read what a site says."""
        return cls(
            said["verdict"],
            tuple(map(Answer.read, said["answers"])),
            Box.read(said["box"]) if "box" in said else None,
            Problem.find(said),
            said.get("warning", ""),
        )


@dataclass(frozen=True)
class Picture:
    """Who is in one picture.

    Attributes:
        source: name of the file, as it was sent.
        width: pixels; 0 beside an error.
        height: likewise.
        faces: the largest first.
        error: why the picture could not be read, beside others that could.
        warning: what is wrong with a picture that is answered all the same; else empty.
    """

    source: str
    width: int
    height: int
    faces: tuple[Face, ...]
    error: Problem | None = None
    warning: str = ""

    def in_words(self) -> str:
        """Return who is in it, a line a face; with several faces each line has its number."""
        if self.error:
            return self.error.detail
        lines = [face.in_words() for face in self.faces]
        if len(lines) > 1:
            lines = [f"{number}. {line}" for number, line in enumerate(lines, 1)]
        return "\n".join(lines) or "I see no face in this picture."

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Picture:
        """Read what a site says."""
        return cls(
            said["source"],
            said["width"],
            said["height"],
            tuple(map(Face.read, said["faces"])),
            Problem.find(said),
            said.get("warning", ""),
        )


@dataclass(frozen=True)
class PictureAnswers:
    """Who is in several pictures.

    Attributes:
        model: which one answered.
        pictures: in the order in which they were sent.
        took_ms: how long the site worked, in milliseconds.
    """

    model: Model
    pictures: tuple[Picture, ...]
    took_ms: float

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> PictureAnswers:
        """Read what a site says."""
        return cls(Model.read(said["model"]), tuple(map(Picture.read, said["images"])), said["took_ms"])


@dataclass(frozen=True)
class CropAnswers:
    """Who is in several face crops.

    Attributes:
        model: which one answered.
        faces: one a crop, in the order in which they were sent.
        took_ms: how long the site worked, in milliseconds.
    """

    model: Model
    faces: tuple[Face, ...]
    took_ms: float

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> CropAnswers:
        """Read what a site says."""
        return cls(Model.read(said["model"]), tuple(map(Face.read, said["faces"])), said["took_ms"])


@dataclass(frozen=True)
class Report:
    """A correction that the site has stored.

    Attributes:
        id: 32 hexadecimal digits.
        status: where it stands in review: `pending`, say.
    """

    id: str
    status: str

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Report:
        """Read what a site says."""
        return cls(said["id"], said["status"])
