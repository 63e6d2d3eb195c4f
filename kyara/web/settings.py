"""Every setting of the site: one typed field each, read from `KYARA_` and its name in capitals.

The application has them in its configuration under the same name without `KYARA_`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from kyara.errors import KyaraError
from kyara.recognition.neighbour_index import INDEX_FROM, MIN_REFERENCES
from kyara.storage.paths import ROOT
from kyara.storage.settings import OUR_SENTENCE, PlaceSettings
from kyara.web.ops.cors import read_origins
from kyara.web.ops.headers import MAX_HSTS_SECONDS
from kyara.web.ops.limits import DEFAULT_LIMITS, read_limits
from kyara.web.secrets import check_metrics_token, check_operator_token, check_secret_key
from kyara.web.serving.server_settings import ServerSettings


def _checked_by(check: Callable[[str], object]) -> AfterValidator:
    """Return a validator that refuses what a check refuses, in its words."""

    def validate(value: str) -> str:
        try:
            check(value)
        except KyaraError as error:
            sentence = str(error).replace("{", "{{").replace("}", "}}")
            raise PydanticCustomError(OUR_SENTENCE, sentence) from error  # type: ignore[arg-type]
        return value

    return AfterValidator(validate)


class Settings(PlaceSettings):
    """Every `KYARA_*` of the site, those of `PlaceSettings` included."""

    operator_token: Annotated[str, _checked_by(check_operator_token)] = Field(
        "", description="Opens `/api/gallery` to who sends it; at least 16 characters."
    )
    secret_key: Annotated[str, _checked_by(check_secret_key)] = Field(
        "", description="Signs the operators' cookies; at least 32 characters."
    )
    session_cookie_secure: bool = Field(
        False, description="Operators' cookies go over TLS only; behind TLS they do so anyway."
    )
    trusted_proxies: int = Field(
        0, ge=0, le=16, description="Reverse proxies in front that add `X-Forwarded-For` and `-Proto`."
    )
    hsts_seconds: int = Field(
        0, ge=0, le=MAX_HSTS_SECONDS, description="Browsers come by HTTPS alone for so long; 0 is off."
    )
    rate_limits: Annotated[str, _checked_by(read_limits)] = Field(
        DEFAULT_LIMITS, description="Requests of one address, by kind; empty: no limits."
    )
    cors_origins: Annotated[str, _checked_by(read_origins)] = Field(
        "", description="Other sites whose pages may ask the API, or `*`; empty: none."
    )
    max_queued: int = Field(
        40, ge=0, le=10_000, description="Requests to the model that may wait or run; past it 503."
    )
    max_running: int = Field(
        0, ge=0, le=1000, description="How many of them may run; 0 is one for each core."
    )
    request_deadline_s: float = Field(
        10,
        gt=0,
        le=600,
        allow_inf_nan=False,
        description="How long a request may take, waiting included.",
    )
    max_content_length: int = Field(
        8 * 1024 * 1024, ge=1024, le=1024**3, description="Bytes that the body of a request may have."
    )
    index_from: int = Field(
        INDEX_FROM,
        ge=MIN_REFERENCES,
        le=10**9,
        description="References from which on an index proposes whom a face is compared with.",
    )
    log_format: Literal["text", "json"] = Field("text", description="`json`: one object a line.")
    metrics: Literal["loopback", "off"] = Field("loopback", description="Who may read `/metrics`.")
    metrics_token: Annotated[str, _checked_by(check_metrics_token)] = Field(
        "", description="Who sends it may read `/metrics` from anywhere; at least 16 characters."
    )
    report_vote: bool = Field(False, description="Visitors who agree may accept a report.")
    report_quota_bytes: int = Field(
        2 * 1024**3, ge=0, le=2**60, description="Past it reports are refused with 507."
    )
    report_sender_quota: int = Field(
        500, ge=0, le=10**9, description="Reports a day from one address; 0: any number."
    )


def make_config(settings: Settings) -> dict[str, Any]:
    """Return settings as the application's configuration has them: capitals, and folders as text."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return {
        name.upper(): str(value) if isinstance(value, Path) else value for name, value in values.items()
    }


def check_environment() -> None:
    """Refuse an environment that makes no sense, before anything starts.

    Raises:
        BadInputError: a variable makes no sense.
    """
    ServerSettings.read()
    Settings.read()


DEFAULTS: Mapping[str, Any] = {
    "BOOTSTRAP_SERVE_LOCAL": True,
    "BABEL_DEFAULT_LOCALE": "en",
    "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "translations"),
    "AUTO_404_RESPONSE": False,
    "VALIDATION_ERROR_STATUS_CODE": 422,
    **make_config(Settings.model_construct()),
}
"""The configuration without any variable: first that of the libraries, then ours."""
