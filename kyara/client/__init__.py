"""A Kyara site, asked from a program: `Client`, and `AsyncClient` for programs that run on asyncio.

    from kyara.client import Client

    with Client("http://127.0.0.1:5000") as site:
        for face in site.identify("screenshot.png").faces:
            print(face.in_words())

Nothing here loads the model or the site: the package needs `kyara.errors` and httpx.
"""

from __future__ import annotations

try:
    from kyara.client.sites import AsyncClient, Client
except ModuleNotFoundError as error:
    if error.name != "httpx":
        raise
    sentence = 'kyara.client needs the package httpx: `pip install "kyara[client]"` brings it.'
    raise ModuleNotFoundError(sentence, name=error.name) from error
from kyara.client.answers import (
    Answer,
    Box,
    Character,
    CropAnswers,
    Face,
    Model,
    Picture,
    PictureAnswers,
    Problem,
    Report,
)
from kyara.client.problems import NoAnswerError, ProblemError
from kyara.client.retries import Retries
from kyara.errors import BadInputError, KyaraError

__all__ = [
    "Answer",
    "AsyncClient",
    "BadInputError",
    "Box",
    "Character",
    "Client",
    "CropAnswers",
    "Face",
    "KyaraError",
    "Model",
    "NoAnswerError",
    "Picture",
    "PictureAnswers",
    "Problem",
    "ProblemError",
    "Report",
    "Retries",
]
