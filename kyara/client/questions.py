"""What is asked of a site: arguments in, an HTTP request and the reader of its answer out."""

from __future__ import annotations

import base64
import io
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, Protocol, TypeVar

import httpx

from kyara.client.answers import Box, Character, CropAnswers, PictureAnswers, Report
from kyara.client.problems import NoAnswerError
from kyara.errors import BadInputError

T = TypeVar("T")
NAMELESS = "picture"
"""Name of a picture that comes from no file."""
_BINARY = "application/octet-stream"  # the site tells the format by the content


class SavesItself(Protocol):
    """A picture of Pillow: it is sent as PNG."""

    def save(self, fp: IO[bytes], format: str | None = None) -> Any: ...


Sendable = bytes | bytearray | str | os.PathLike[str] | SavesItself
"""A picture: the bytes of a file, the path of one, or a picture of Pillow."""


@dataclass(frozen=True)
class Question(Generic[T]):
    """One question.

    Attributes:
        request: arguments of `httpx.Client.request`.
        reader: JSON of the answer → what is returned.
    """

    request: Mapping[str, Any]
    reader: Callable[[Any], T]

    def read(self, response: httpx.Response) -> T:
        """Read the answer.

        Raises:
            NoAnswerError: it is not what a Kyara site answers.
        """
        try:
            return self.reader(response.json())
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise NoAnswerError(
                f"{response.url} does not answer as a Kyara site does: is the address right?"
            ) from error


def ask_pictures(
    pictures: Iterable[Sendable], *, top_k: int, language: str | None, whole: bool
) -> Question[PictureAnswers]:
    """Ask who is in whole pictures.

    Raises:
        BadInputError: a file cannot be read, or it is no picture.
    """
    files = [("picture", (*_read(each), _BINARY)) for each in pictures]
    how = {"top_k": top_k, "whole": whole, "language": language}
    request = {"url": "/api/pictures", "method": "POST", "files": files, "params": _leave_out(how)}

    def read(said: Any) -> PictureAnswers:
        answers = PictureAnswers.read(said)
        _check_count(answers.pictures, len(files))
        return answers

    return Question(request, read)


def ask_crops(crops: Iterable[Sendable], *, top_k: int, language: str | None) -> Question[CropAnswers]:
    """Ask who is in face crops.

    Raises:
        BadInputError: a file cannot be read, or it is no picture.
    """
    body: dict[str, Any] = {"crops": [_make_url(each) for each in crops]}
    body |= {"top_k": top_k, "language": language}
    request = {"url": "/api/identify", "method": "POST", "json": _leave_out(body)}

    def read(said: Any) -> CropAnswers:
        answers = CropAnswers.read(said)
        _check_count(answers.faces, len(body["crops"]))
        return answers

    return Question(request, read)


def ask_characters(
    query: str, *, language: str | None, limit: int, whole: bool
) -> Question[tuple[Character, ...]]:
    """Ask who is called so."""
    how = {"query": query, "language": language, "limit": limit, "whole": whole}
    return Question(
        {"url": "/api/characters", "method": "GET", "params": _leave_out(how)},
        lambda said: tuple(map(Character.read, said["characters"])),
    )


def make_report(
    crop: Sendable, label: str, *, box: Box | None, token: str | None, **more: Any
) -> Question[Report]:
    """Say who a crop really shows; the token makes a repeat harmless.

    Raises:
        BadInputError: the file cannot be read, or it is no picture.
    """
    body = {
        "crop": _make_url(crop),
        "label": label,
        "box": box and box.to_json(),
        "token": token or str(uuid.uuid4()),
        **more,
    }
    request = {"url": "/api/reports", "method": "POST", "json": _leave_out(body)}
    return Question(request, Report.read)


def _check_count(answers: Sized, count: int) -> None:
    """Refuse more answers, or fewer, than pictures were sent: Kyara answers each.

    Raises:
        ValueError: it is so.
    """
    if len(answers) != count:
        raise ValueError(f"{len(answers)} answers to {count} pictures")


def _leave_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, in characters that can be sent."""
    return {
        name: _make_sendable(value) if isinstance(value, str) else value
        for name, value in values.items()
        if value is not None
    }


def _make_sendable(text: str) -> str:
    """Return a text with `?` for what UTF-8 does not have, such as bytes of old names of files."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _make_url(picture: Sendable) -> str:
    return f"data:{_BINARY};base64,{base64.b64encode(_read(picture)[1]).decode()}"


def _read(picture: Sendable) -> tuple[str, bytes]:
    """Return a picture's name and the bytes of its file.

    Raises:
        BadInputError: the file cannot be read, or it is no picture.
    """
    if isinstance(picture, bytes | bytearray):
        return NAMELESS, bytes(picture)
    if not isinstance(picture, str | os.PathLike) and not hasattr(picture, "save"):
        raise BadInputError(
            f"Give a picture's bytes, its path, or one of Pillow; received {type(picture).__name__}."
        )
    try:
        if isinstance(picture, str | os.PathLike):
            path = Path(picture)
            return _make_sendable(path.name), path.read_bytes()
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise BadInputError(f"Cannot read {str(picture)[:200]}: {reason}.") from error
    return NAMELESS, buffer.getvalue()
