"""The settings of the server under the application: HOST, PORT, THREADS, DRAIN_S."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from kyara.storage.settings import OUR_SENTENCE, EnvironmentSettings
from kyara.web.serving.ports import explain_port


def _check_port(port: int) -> int:
    if sentence := explain_port(port):
        raise PydanticCustomError(OUR_SENTENCE, sentence)  # type: ignore[arg-type]
    return port


class ServerSettings(EnvironmentSettings):
    """Where the server listens and how it works: variables without a prefix, for gunicorn.conf.py."""

    host: str = Field("127.0.0.1", description="Where it listens.")
    port: Annotated[int, AfterValidator(_check_port)] = Field(
        5000, ge=0, le=65535, description="Where it listens; 0 is a free one."
    )
    threads: int = Field(72, ge=1, le=1000, description="Threads that answer.")
    drain_s: float = Field(
        1,
        ge=0,
        le=600,
        allow_inf_nan=False,
        description="Seconds that it still takes connections on SIGTERM.",
    )
