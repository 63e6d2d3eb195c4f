"""What a person typed → the character who is meant: one that is known, or a new one."""

from __future__ import annotations

from kyara.dataset.review.labelling import make_label
from kyara.errors import BadInputError, ConflictError
from kyara.recognition.characters import Character, check_label, check_texts
from kyara.recognition.name_search import KnownNames
from kyara.vision.languages import guess_language


def choose_character(known: KnownNames, text: str, *, label: str = "", work: str = "") -> Character:
    """Return who is meant by a name or a label; somebody new where nobody has it.

    Args:
        known: everybody who can be answered.
        text: a name, or a label.
        label: who is meant of several with this name; of somebody new.
        work: the series of somebody new.

    Raises:
        BadInputError: no name, or one of which no label can be made.
        ConflictError: several have the name, or somebody else has the label.
    """
    text = text.strip()
    if not text and not label:
        raise BadInputError("Write a name, or choose somebody.")
    if label and label in known.characters:
        return _take(known, text, label)
    if not label:
        if (found := known.resolve(text)) is not None:
            return known.characters[found]
        if several := known.find_namesakes(text):
            raise ConflictError(
                f"Several are called {ascii(text)[:120]}: {', '.join(several)}. Give the label of one, "
                "or another label for somebody else."
            )
        label = make_label(text)
        if label in known.characters:
            raise _refuse_label(known, label)
    name = check_texts({guess_language(text): text}, "name") if text else {}
    titles = check_texts({guess_language(work.strip()): work.strip()}, "work") if work.strip() else {}
    return Character(check_label(label), name, titles)


def _take(known: KnownNames, text: str, label: str) -> Character:
    """Return a known character by its label; a name beside it has to be its own."""
    if text and text != label and label not in known.find_namesakes(text):
        raise _refuse_label(known, label)
    return known.characters[label]


def _refuse_label(known: KnownNames, label: str) -> ConflictError:
    return ConflictError(
        f"The label {label} is that of {known.say(label)}. Give another label, such as work/name."
    )
