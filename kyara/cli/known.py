"""What commands about known characters share: where they are kept, and names in the place of labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.options import json_option, models_option, stack
from kyara.errors import BadInputError
from kyara.registry import TAUGHT_VARIABLE, find_serving, find_taught

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier


taught_option: Any = click.option(
    "--taught",
    envvar=TAUGHT_VARIABLE,
    metavar="PLACE",
    help="Where taught characters are, file or URL.  [default: taught.db beside the models]",
)
place_options: Any = stack(
    models_option("The model folder, of which what serves is taken.", envvar="KYARA_MODEL_FOLDER"),
    taught_option,
    json_option,
)
"""Where the model and the file of taught characters are."""


def load_classifier(models: Path, taught: str | None) -> Any:
    """Return the model that serves in a model folder, with what was taught."""
    from kyara.recognition.classifier import Classifier

    return Classifier(find_serving(models), taught=find_taught(models, place=taught))


def find_label(classifier: Classifier, text: str) -> str:
    """Return the label of whom a text names; the text itself if it is nobody's name, or several's."""
    from kyara.recognition.name_search import KnownNames

    return KnownNames.of(classifier.characters).resolve(text) or text


def refuse_name(classifier: Classifier, text: str) -> None:
    """Refuse a name where a label is needed, and tell the label.

    Raises:
        BadInputError: the text is a known character's name.
    """
    label = find_label(classifier, text)
    if label != text:
        name = classifier.character(label).name_in("en")
        raise BadInputError(f"{ascii(text)[:120]} is no label. That of {name} is {label}.")
