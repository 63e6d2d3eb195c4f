"""What a language model may ask: pictures and names in, what is known of them out.

Pictures are files under the roots that whoever started the server named, or base64 in the question.
Arguments and answers are declared here, so that the server can tell a model what they are.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field

from kyara.errors import BadInputError, TooLargeError
from kyara.recognition.catalogue import Catalogue
from kyara.recognition.characters import Character
from kyara.recognition.classifier import Classifier
from kyara.recognition.name_search import search_characters
from kyara.recognition.pictures import identify_pixels
from kyara.vision.detectors.base import FaceDetector, check_installed, choose_detector, open_detector
from kyara.vision.images import decode_image, read_image
from kyara.vision.languages import LanguageCode
from kyara.vision.picture_files import FILE_FORMATS

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_SENT_CHARACTERS = 12 * 1024 * 1024
"""Of a picture as base64: 9 MiB."""
MAX_LISTED = 500

Language = Annotated[LanguageCode, Field(description="Language of names and works.")]


class KnownCharacter(BaseModel):
    """A character that the model knows."""

    label: str = Field(description="Stable id.")
    name: str
    work: str = Field(description="The series; may be empty.")
    names: dict[str, str] = Field(description="Language → name.")
    url: str | None = Field(description="The character's page at MyAnimeList.")
    references: int = Field(description="Reference faces; with one alone, faces are often unknown.")


class FoundCharacters(BaseModel):
    """Characters, and how many there are in all."""

    total: int
    characters: list[KnownCharacter]


class SeenAnswer(BaseModel):
    """Somebody who a face may be."""

    label: str = Field(description="Stable id.")
    name: str
    work: str
    url: str | None
    confidence: float = Field(description="Calibrated probability, 0 to 1.")
    similarity: float | None = Field(description="Cosine to the nearest reference face.")


class SeenBox(BaseModel):
    """Where a face lies, in pixels of the picture, the origin top left."""

    x: int
    y: int
    width: int
    height: int


class SeenFace(BaseModel):
    """A face, and who it may be."""

    box: SeenBox
    verdict: Literal["known", "probably", "unknown"] = Field(
        description="known: the first answer is a name to rely on; probably: it may well be right, and "
        "is no fact; unknown: the answers are guesses, and the face is likely nobody of them."
    )
    answers: list[SeenAnswer] = Field(description="Best first.")


class SeenPicture(BaseModel):
    """Who is in a picture."""

    width: int
    height: int
    faces: list[SeenFace] = Field(description="The largest first.")
    warnings: list[str] = Field(description="What is wrong with the picture, if anything is.")


class Tools:
    """The tools; safe for many threads, one of which works at a time. Closes what it opened."""

    def __init__(self, classifier: Classifier, roots: Sequence[Path], detector: str | None) -> None:
        """Take who says who it is, the folders of which files may be read, and what finds faces.

        Raises:
            BadInputError: no such detector.
        """
        self.roots = tuple(root.resolve() for root in roots)
        self._classifier = classifier
        self._detector = choose_detector(detector)
        self._opened = ExitStack()
        self._finder: FaceDetector | None = None
        self._lock = threading.Lock()

    def identify_picture(
        self,
        path: Annotated[str, Field(description="Of a file under one of the server's roots.")] = "",
        data: Annotated[
            str,
            Field(
                description="Base64 of a picture file, or a data URL, in place of a path.",
                max_length=MAX_SENT_CHARACTERS,
            ),
        ] = "",
        whole: Annotated[bool, Field(description="The picture is one face; look for none.")] = False,
        top_k: Annotated[int, Field(description="Answers a face.", ge=1, le=50)] = 5,
        language: Language = "en",
    ) -> SeenPicture:
        """Say which anime characters are in a picture: where each face lies and who it may be.

        Give `path` or `data`. Only a face whose verdict is `known` may be told as a fact.
        """
        if bool(path) == bool(data):
            raise BadInputError("Give a path or data: one of them.")
        warnings: list[str] = []
        with self._lock:  # pictures that wait for their turn are not unpacked
            pixels = read_image(self._find(path), warnings.append) if path else _decode(data, warnings)
            finder = None if whole else self._open_finder()
            picture = identify_pixels(pixels, self._classifier, finder, top_k=top_k)
        said = picture.describe(self._classifier, language)
        return SeenPicture.model_validate({**said, "warnings": warnings})

    def find_character(
        self,
        query: Annotated[str, Field(description="Words of names, works or labels.", max_length=100)],
        limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 10,
        language: Language = "en",
    ) -> FoundCharacters:
        """Find characters that the model knows by what people call them, the best match first.

        In any language and order; kana, romaji, pinyin without tones, and traditional, simplified and
        Japanese characters are the same. `total` counts every match.
        """
        with self._lock:
            known = self._classifier.frozen()
            references = known.count_references()
            everybody = list(Catalogue.of(known.characters).characters.values())
            found = search_characters(everybody, query, language, len(everybody), references)
            return _list(found, found[:limit], references, language)

    def list_characters(
        self,
        work: Annotated[
            str, Field(description="Only of works that these words tell.", max_length=100)
        ] = "",
        skip: Annotated[int, Field(description="Leave out so many at the beginning.", ge=0)] = 0,
        limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 100,
        language: Language = "en",
    ) -> FoundCharacters:
        """List the characters that the model can name, by work and name: all, or those of a work.

        `total` counts all of the list, of which one part is answered.
        """
        with self._lock:
            known = self._classifier.frozen()
            catalogue = Catalogue.of(known.characters)
            works = catalogue.search_works(work) if work.strip() else catalogue.works.values()
            members = [one for each in works for one in each.characters]
            members.sort(key=lambda one: (one.work_in(language), one.name_in(language), one.label))
            part = members[skip : skip + limit]
            return _list(members, part, known.count_references(), language)

    def close(self) -> None:
        """Close the detector."""
        self._opened.close()

    def __enter__(self) -> Tools:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_finder(self) -> FaceDetector:
        """Return the detector, which is opened when first asked for.

        Raises:
            KyaraError: it is not installed, or does not work.
        """
        if self._finder is None:
            check_installed()
            self._finder = self._opened.enter_context(open_detector(self._detector))
        return self._finder

    def _find(self, path: str) -> Path:
        """Return the file of a path; one that is relative is looked for in each root.

        Raises:
            BadInputError: it is under no root, or is no file there. Which of both is not told.
            TooLargeError: it is larger than `MAX_FILE_BYTES`.
        """
        for root in self.roots:
            try:
                found = (root / path).resolve(strict=True)
                if not found.is_relative_to(root) or not found.is_file():
                    continue
                size_bytes = found.stat().st_size
            except (OSError, ValueError):  # a name with a zero byte is a ValueError
                continue
            if size_bytes > MAX_FILE_BYTES:
                raise TooLargeError(
                    f"The file has {size_bytes:,} bytes; at most {MAX_FILE_BYTES:,} are read."
                )
            return found
        raise BadInputError(f"{path[:200]!r} is no file that may be read here. {self.tell_roots()}")

    def tell_roots(self) -> str:
        """Return a sentence on which files may be read."""
        if not self.roots:
            return "No file may be read; send pictures as base64."
        return f"Pictures under {', '.join(map(str, self.roots))} may be read."


def _decode(data: str, warnings: list[str]) -> np.ndarray:
    """Return the pixels of a picture that was sent as base64, `uint8 (H, W, 3)`.

    Raises:
        KyaraError: it is no base64, or no picture.
    """
    text = data.partition(",")[2] if data.startswith("data:") else data
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInputError(f"The data is not base64: {error}.") from error
    return decode_image(decoded, formats=FILE_FORMATS, tell=warnings.append)


def _list(
    found: Sequence[Character], part: Sequence[Character], references: dict[str, int], language: str
) -> FoundCharacters:
    characters = [
        KnownCharacter(
            **one.to_json(language),
            names=dict(one.name),
            url=one.page_url,
            references=references[one.label],
        )
        for one in part
    ]
    return FoundCharacters(total=len(found), characters=characters)
