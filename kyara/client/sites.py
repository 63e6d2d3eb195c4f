"""A site that is asked: a question out, its answer in, and again where the site asks for patience."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import httpx

import kyara
from kyara.client.answers import Box, Character, CropAnswers, Picture, PictureAnswers, Report
from kyara.client.questions import (
    Question,
    Sendable,
    ask_characters,
    ask_crops,
    ask_pictures,
    make_report,
)
from kyara.client.retries import Attempts, Retries
from kyara.errors import BadInputError

T = TypeVar("T")
TIMEOUT_S = 60.0
"""A site answers, or refuses, within 15 s by default; large pictures take a while to send."""
_PASSWORD = re.compile("//.*@")


class Client:
    """A Kyara site; safe for many threads. Used in a `with` statement it closes its connections.

    Every method raises `ProblemError` if the site refuses, with its sentence; `NoAnswerError` if nobody
    answers, or nobody who is a Kyara site; `BadInputError` if a picture cannot be read here. A busy site
    is asked again as `Retries` says.
    """

    def __init__(
        self, url: str, *, retries: Retries | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Take the address of a site; nothing is sent yet.

        Args:
            url: such as `https://kyara.example`; may have a path, and a name and password, which no
                error tells.
            retries: how often and for how long to ask again.
            timeout_s: most seconds of silence while a question is sent or answered.

        Raises:
            BadInputError: it is no http or https address.
        """
        self._retries = retries or Retries()
        self._http = httpx.Client(**_describe(url, timeout_s))

    def identify(
        self,
        picture: Sendable,
        *,
        top_k: int = 5,
        language: str | None = None,
        whole: bool = False,
    ) -> Picture:
        """Say who is in a picture.

        Args:
            picture: the bytes of a PNG, JPEG or WebP file, its path, or a picture of Pillow.
            top_k: answers a face, 1 to 50.
            language: `en`, `ja` or `zh`; English by default.
            whole: the picture is one face crop, and no faces are looked for in it.
        """
        return self.identify_pictures([picture], top_k=top_k, language=language, whole=whole).pictures[0]

    def identify_pictures(
        self,
        pictures: Iterable[Sendable],
        *,
        top_k: int = 5,
        language: str | None = None,
        whole: bool = False,
    ) -> PictureAnswers:
        """Say who is in 1 to 8 pictures, of 8 MiB together; options as of `identify`.

        A picture that cannot be read has an `error`, and the others are answered.
        """
        return self._ask(ask_pictures(pictures, top_k=top_k, language=language, whole=whole))

    def identify_crops(
        self, crops: Iterable[Sendable], *, top_k: int = 5, language: str | None = None
    ) -> CropAnswers:
        """Say who is in 1 to 32 face crops; options as of `identify`.

        A crop that cannot be read has an `error`, and the others are answered.
        """
        return self._ask(ask_crops(crops, top_k=top_k, language=language))

    def find_characters(
        self, query: str, *, language: str | None = None, limit: int = 20, whole: bool = False
    ) -> tuple[Character, ...]:
        """Return the characters that a query tells, the best match first.

        Args:
            query: words of names, works or labels, in any language; empty: everybody.
            language: of the names and works in the answer.
            limit: most characters, 1 to 2,000.
            whole: only those whose whole name the query is.
        """
        return self._ask(ask_characters(query, language=language, limit=limit, whole=whole))

    def report(
        self,
        crop: Sendable,
        label: str,
        *,
        note: str | None = None,
        predicted: str | None = None,
        confidence: float | None = None,
        model_version: str | None = None,
        box: Box | None = None,
        token: str | None = None,
    ) -> Report:
        """Say who a face crop really shows; operators review it.

        Args:
            crop: as of `identify`.
            label: a character's label, any name, `not_a_face` or `not_listed`.
            note: anything to add.
            predicted: label that was answered.
            confidence: of that answer, 0 to 1.
            model_version: name and version of the model that answered.
            box: where the crop lies in its picture.
            token: 8 to 64 of `A-Z a-z 0-9 _ -`; the same one again is the same report. By default a
                new one.
        """
        said = {"note": note, "predicted": predicted, "confidence": confidence}
        return self._ask(
            make_report(crop, label, box=box, token=token, model_version=model_version, **said)
        )

    def _ask(self, question: Question[T]) -> T:
        attempts = Attempts(self._retries)
        while True:
            try:
                response = self._http.request(**question.request)
            except httpx.RequestError as error:
                wait_s = attempts.weigh_failure(error)
            else:
                if response.is_success:
                    return question.read(response)
                wait_s = attempts.weigh_refusal(response)
            time.sleep(wait_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """A Kyara site, for programs on asyncio or Trio: what `Client` says holds here, too."""

    def __init__(
        self, url: str, *, retries: Retries | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Take the address of a site, as `Client` does."""
        self._retries = retries or Retries()
        self._http = httpx.AsyncClient(**_describe(url, timeout_s))

    async def identify(
        self,
        picture: Sendable,
        *,
        top_k: int = 5,
        language: str | None = None,
        whole: bool = False,
    ) -> Picture:
        """Say who is in a picture; see `Client.identify`."""
        answers = await self.identify_pictures([picture], top_k=top_k, language=language, whole=whole)
        return answers.pictures[0]

    async def identify_pictures(
        self,
        pictures: Iterable[Sendable],
        *,
        top_k: int = 5,
        language: str | None = None,
        whole: bool = False,
    ) -> PictureAnswers:
        """Say who is in 1 to 8 pictures; see `Client.identify_pictures`."""
        return await self._ask(
            partial(ask_pictures, pictures, top_k=top_k, language=language, whole=whole)
        )

    async def identify_crops(
        self, crops: Iterable[Sendable], *, top_k: int = 5, language: str | None = None
    ) -> CropAnswers:
        """Say who is in 1 to 32 face crops; see `Client.identify_crops`."""
        return await self._ask(partial(ask_crops, crops, top_k=top_k, language=language))

    async def find_characters(
        self, query: str, *, language: str | None = None, limit: int = 20, whole: bool = False
    ) -> tuple[Character, ...]:
        """Return the characters that a query tells; see `Client.find_characters`."""
        return await self._ask(
            partial(ask_characters, query, language=language, limit=limit, whole=whole)
        )

    async def report(
        self,
        crop: Sendable,
        label: str,
        *,
        note: str | None = None,
        predicted: str | None = None,
        confidence: float | None = None,
        model_version: str | None = None,
        box: Box | None = None,
        token: str | None = None,
    ) -> Report:
        """Say who a face crop really shows; see `Client.report`."""
        said = {"note": note, "predicted": predicted, "confidence": confidence}
        return await self._ask(
            partial(make_report, crop, label, box=box, token=token, model_version=model_version, **said)
        )

    async def _ask(self, prepare: Callable[[], Question[T]]) -> T:
        question = await anyio.to_thread.run_sync(prepare)  # it reads files
        attempts = Attempts(self._retries)
        while True:
            try:
                response = await self._http.request(**question.request)
            except httpx.RequestError as error:
                wait_s = attempts.weigh_failure(error)
            else:
                if response.is_success:
                    return question.read(response)
                wait_s = attempts.weigh_refusal(response)
            await anyio.sleep(wait_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _describe(url: str, timeout_s: float) -> dict[str, Any]:
    """Return the arguments of httpx' clients.

    Raises:
        BadInputError: it is no http or https address.
    """
    shown = ascii(_PASSWORD.sub("//", url))[:200]
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadInputError(f"{shown} is no address: {error}.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadInputError(f"{shown} is no address of a site: write such as https://kyara.example.")
    headers = {"User-Agent": f"kyara-client/{kyara.__version__}", "Accept": "application/json"}
    # errors and logs tell addresses: in those of requests there is no password
    address = parsed.copy_with(username=None, password=None)
    auth = (parsed.username, parsed.password) if parsed.userinfo else None
    return {"base_url": address, "auth": auth, "timeout": timeout_s, "headers": headers}
