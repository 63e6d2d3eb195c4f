"""First stage of a report: what a visitor typed → checked text, and a file name from it."""

from __future__ import annotations

import math
import re
import secrets
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any

from anyascii import anyascii
from werkzeug.utils import secure_filename

from kyara.errors import BadInputError
from kyara.recognition.characters import NOT_A_FACE, NOT_LISTED, is_blank
from kyara.vision.boxes import Box

MAX_LABEL_CHARACTERS = 200
MAX_NOTE_CHARACTERS = 1_000
MAX_MODEL_VERSION_CHARACTERS = 100
TOKEN_PATTERN = r"[A-Za-z0-9_-]{8,64}"
MAX_BOX_PX = 1_000_000
MAX_FILE_STEM_CHARACTERS = 60

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REFUSED_CATEGORIES = {
    "Cc": "a control character",
    "Cs": "half of a surrogate pair",
    "Cn": "a code point that is not assigned to any character",
    "Co": "a private-use character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


@dataclass(frozen=True)
class Correction:
    """What one visitor says about one crop, checked.

    Attributes:
        label: who it is, NFC, 1 to 200 characters of any script.
        token: made by the visitor's page; the same token is the same report.
        note: free text of at most 1,000 characters, of any number of lines.
        predicted: label that the site had answered.
        confidence: of that answer, 0 to 1.
        model_version: name and version of the model that answered.
        box: where the crop lies, in source-image pixels.
    """

    label: str
    token: str
    note: str | None = None
    predicted: str | None = None
    confidence: float | None = None
    model_version: str | None = None
    box: Box | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object from which `Correction.from_json` makes an equal one."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Correction:
        """Check and take over what `to_json` returned.

        Raises:
            BadInputError: it is not such an object, or breaks a rule.
        """
        try:
            box = data.get("box")
            return check_correction(**{**data, "box": Box(**box) if box else None})
        except (TypeError, AttributeError) as error:
            raise BadInputError(f"This is not a stored correction: {error}.") from error


def check_correction(
    label: str,
    *,
    token: str | None = None,
    note: str | None = None,
    predicted: str | None = None,
    confidence: float | None = None,
    model_version: str | None = None,
    box: Box | None = None,
) -> Correction:
    """Check everything that a visitor sends with a crop.

    Args:
        label: 1 to 200 characters of any script; `NOT_A_FACE` and `NOT_LISTED` have their meaning.
        token: 8 to 64 of `A-Z a-z 0-9 _ -`; a random one where None.
        note: at most 1,000 characters; empty is None.
        predicted: as `label`; empty is None.
        confidence: 0 to 1.
        model_version: at most 100 characters; empty is None.
        box: integer pixels, at least 1 wide and high.

    Returns:
        The correction, text in NFC and without white space at its ends.

    Raises:
        BadInputError: a rule is broken; the sentence says which.
    """
    return Correction(
        label=check_label(label),
        token=secrets.token_urlsafe(24) if token is None else check_token(token),
        note=_check_text("note", note, MAX_NOTE_CHARACTERS, allowed="\n\t") if note else None,
        predicted=check_label(predicted, "predicted label") if predicted else None,
        confidence=_check_confidence(confidence),
        model_version=(
            _check_text("model version", model_version, MAX_MODEL_VERSION_CHARACTERS)
            if model_version
            else None
        ),
        box=_check_box(box),
    )


def check_label(label: str, what: str = "label") -> str:
    """Return the label in NFC without white space at its ends.

    Args:
        label: what the visitor typed, 1 to 200 characters of any script.
        what: what to call it in an error.

    Raises:
        BadInputError: empty, too long, or with characters that cannot be a name's.
    """
    checked = _check_text(what, label, MAX_LABEL_CHARACTERS)
    for position, character in enumerate(checked, start=1):
        if is_blank(character):
            raise BadInputError(
                f"The {what} has a character that nobody sees (U+{ord(character):04X}) at position "
                f"{position}: remove it."
            )
    if not checked:
        raise BadInputError(
            f"The {what} is empty: type the character's name, "
            f"or choose '{NOT_A_FACE}' or '{NOT_LISTED}'."
        )
    return checked


def check_token(token: str) -> str:
    """Return the token unchanged.

    Raises:
        BadInputError: not 8 to 64 of `A-Z a-z 0-9 _ -`.
    """
    if not isinstance(token, str) or not re.fullmatch(TOKEN_PATTERN, token):
        raise BadInputError(
            f"The token {ascii(token)[:80]} is not 8 to 64 of the characters A-Z a-z 0-9 _ -: "
            "send a fresh random one, or none."
        )
    return token


def _check_text(what: str, text: str, max_characters: int, allowed: str = "") -> str:
    """Check length and characters; return NFC, stripped, `""` where nothing visible is left."""
    if not isinstance(text, str):
        raise BadInputError(f"The {what} is of type {type(text).__name__}: send text.")
    if "\n" in allowed:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    # Looked at before normalising, whose cost grows with the square of a run of combining marks.
    if len(text) > 4 * max_characters:
        raise _too_long(what, len(text), max_characters)
    for position, character in enumerate(text, start=1):
        reason = _refusal(character)
        if reason and character not in allowed:
            raise BadInputError(
                f"The {what} has {reason} (U+{ord(character):04X}) at position {position}: remove it."
            )
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > max_characters:
        raise _too_long(what, len(text), max_characters)
    visible = any(unicodedata.category(character)[0] in "LNPS" for character in text)
    return text if visible else ""


def _refusal(character: str) -> str | None:
    if character in _BIDI_CONTROLS:
        return "a control that reverses the writing direction"
    if character in "\r\n":
        return "a line break"
    return _REFUSED_CATEGORIES.get(unicodedata.category(character))


def _too_long(what: str, characters: int, max_characters: int) -> BadInputError:
    return BadInputError(
        f"The {what} has {characters:,} characters; at most {max_characters:,} are accepted: shorten it."
    )


def _check_confidence(confidence: float | None) -> float | None:
    if confidence is None:
        return None
    if (
        not isinstance(confidence, int | float)
        or not math.isfinite(confidence)
        or not 0 <= confidence <= 1
    ):
        raise BadInputError(f"The confidence {confidence!r} is not a number from 0 to 1.")
    return float(confidence)


def _check_box(box: Box | None) -> Box | None:
    if box is None:
        return None
    numbers = (box.x, box.y, box.width, box.height)
    whole = all(isinstance(number, int) and abs(number) <= MAX_BOX_PX for number in numbers)
    if not whole or box.width < 1 or box.height < 1:
        raise BadInputError(
            f"The box {box.to_json()} is not one of whole pixels, at least 1 wide and high "
            f"and within {MAX_BOX_PX:,}."
        )
    return box


def choose_file_stem(label: str) -> str:
    """Return an ASCII name for the file of a label: safe in any folder, for people only.

    `secure_filename` alone leaves nothing of `琴吹䌷`, so the label is transliterated first.

    Returns:
        1 to 60 of `A-Z a-z 0-9 . _ -`; `"face"` where nothing is left.
    """
    stem = secure_filename(anyascii(label))[:MAX_FILE_STEM_CHARACTERS].strip("._-")
    return stem or "face"
