"""Settings from environment variables, each one typed field; here those that say where things are.

`kyara.web.settings.Settings` adds what only the site needs. What makes no sense is refused in one
sentence that names the variable and what was received. An empty variable counts as none, unless its
setting is text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from kyara.errors import BadInputError
from kyara.storage import paths

OUR_SENTENCE = "kyara"
"""Type of the validation errors whose message is a whole sentence already."""
_SHOWN_CHARACTERS = 60


_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}


class EnvironmentSettings(BaseSettings):
    """Reads each field from the environment variable of its name, in capitals, after a prefix."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        fields = cls.model_fields
        return {
            name: value
            for name, value in given.items()
            if value != "" or name not in fields or fields[name].annotation is str
        }

    @field_validator("*", mode="before")
    @classmethod
    def _read_boolean(cls, given: Any, info: ValidationInfo) -> Any:
        """Take four words for each, in any case, and no other; pydantic would take `t` and `y`."""
        if cls.model_fields[info.field_name or ""].annotation is not bool or isinstance(given, bool):
            return given
        if (word := str(given).strip().lower()) not in _BOOLEANS:
            raise ValueError("neither yes nor no")
        return _BOOLEANS[word]

    @classmethod
    def name_variable(cls, field: str) -> str:
        """Return the environment variable of a field."""
        return f"{cls.model_config.get('env_prefix', '')}{field.upper()}"

    @classmethod
    def find_problems(cls) -> dict[str, str]:
        """Return field -> the sentence that tells what is wrong with it; empty where all is well."""
        try:
            cls()
        except ValidationError as error:
            return {
                str(one["loc"][0]): one["msg"]
                if one["type"] == OUR_SENTENCE
                else cls._explain(str(one["loc"][0]), one["input"])
                for one in error.errors()
            }
        return {}

    @classmethod
    def read(cls) -> Self:
        """Read the environment.

        Raises:
            BadInputError: a variable makes no sense.
        """
        if problems := cls.find_problems():
            raise BadInputError(next(iter(problems.values())))
        return cls()

    @classmethod
    def read_sound(cls) -> Self:
        """Read the environment; what makes no sense has its default."""
        return cls(**{field: cls.model_fields[field].default for field in cls.find_problems()})

    @classmethod
    def _explain(cls, field: str, received: object) -> str:
        shown = repr(received)[:_SHOWN_CHARACTERS]
        return (
            f"{cls.name_variable(field)} is {describe_values(cls.model_fields[field])}; "
            f"received {shown}."
        )


def describe_values(field: FieldInfo) -> str:
    """Return what a field takes, such as `a whole number from 0 to 16`."""
    if field.annotation is bool:
        return "true or false"
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(field.annotation)))}"
    bounds = {
        name: getattr(one, name)
        for one in field.metadata
        for name in ("ge", "gt", "le")
        if hasattr(one, name)
    }
    kinds: dict[object, str] = {int: "a whole number", float: "a number"}
    words = kinds.get(field.annotation, "text")
    if "gt" in bounds:
        return f"{words} above {bounds['gt']}" + (f", at most {bounds['le']}" if "le" in bounds else "")
    if "le" in bounds:
        return f"{words} from {bounds.get('ge', 0)} to {bounds['le']}"
    return f"{words} of at least {bounds['ge']}" if "ge" in bounds else words


class PlaceSettings(EnvironmentSettings):
    """Where things are."""

    model_config = SettingsConfigDict(env_prefix="KYARA_")

    model_folder: Path = Field(
        paths.MODEL_FOLDER, description="Where `registry.json` and the bundles are."
    )
    instance_folder: Path = Field(
        paths.INSTANCE_FOLDER,
        description="What belongs to this installation alone: operators, the secret key.",
    )
    report_folder: Path = Field(paths.REPORT_FOLDER, description="Where reports are kept.")
    dataset_folder: Path = Field(
        paths.DATASET_FOLDER, description="Where accepted reports and labelled faces go."
    )
    run_folder: Path = Field(
        paths.RUN_FOLDER, description="Trainings that the models page starts, and their checkpoints."
    )
    library: str = Field(
        "", description="A library of pictures whose groups operators name: a file or an SQLAlchemy URL."
    )
    taught_database: str = Field(
        "", description="Where taught characters are kept: a file or an SQLAlchemy URL."
    )
    database_url: str = Field("", description="One PostgreSQL for everything, as an SQLAlchemy URL.")
    report_database_url: str = Field("", description="Where reports' rows are: any SQLAlchemy URL.")
    operator_database_url: str = Field("", description="Accounts of `/operator/`: any SQLAlchemy URL.")
    files_url: str = Field("", description="`s3://…` for reports' pictures and for bundles.")
    files_endpoint_url: str = Field("", description="Of a file store that is not Amazon's.")
    cache_folder: str = Field("", description="Bundles that were fetched from there.")
    redis_url: str = Field("", description="Limits and news of several servers together.")
