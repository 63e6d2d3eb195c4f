"""What a pack is: characters that were taught somewhere, without pictures; and what it can say.

How it is in a file: `pack_file.py`. How one is made, and installed: `pack_install.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from kyara.errors import BadInputError
from kyara.recognition.bundle_parts import UNIT_TOLERANCE
from kyara.recognition.characters import Character, check_texts, is_label

MAX_PACK_CHARACTERS = 20_000
MAX_PACK_NAME_CHARACTERS = 50
MAX_DETAIL_CHARACTERS = 200
_NAME = re.compile(r"[a-z0-9]+(?:[_.-]+[a-z0-9]+)*")
VECTOR = np.dtype("<f2")
"""Of features, in packs and in the database of taught characters."""
_NETWORK = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class PackCharacter:
    """A character of a pack.

    Attributes:
        character: who it is.
        features: `float16 (N, features)`, unit length, N at least 1.
    """

    character: Character
    features: np.ndarray


@dataclass(frozen=True)
class Pack:
    """What a pack says.

    Attributes:
        name: by which it is removed: `a-z 0-9` and, between them, `_ - .`.
        author: who made it, as they call themselves.
        licence: on which terms, such as `CC0-1.0`.
        network: fingerprint of the backbone that made the features.
        characters: in the order in which they were taught; no label twice.
        sha256: of the file that it was read from; empty where there is none.
    """

    name: str
    author: str
    licence: str
    network: str
    characters: tuple[PackCharacter, ...]
    sha256: str = ""

    @property
    def faces(self) -> int:
        """How many faces it brings."""
        return sum(len(one.features) for one in self.characters)


def check_pack_name(name: str) -> str:
    """Return a pack's name, unchanged.

    Raises:
        BadInputError: it is not such a name.
    """
    if not isinstance(name, str) or len(name) > MAX_PACK_NAME_CHARACTERS or not _NAME.fullmatch(name):
        raise BadInputError(
            f"The pack's name {ascii(name)[:80]} cannot be taken: give up to {MAX_PACK_NAME_CHARACTERS} "
            "of a-z 0-9 and, between them, _ - . such as vocaloid-extras."
        )
    return name


def check_detail(text: str, what: str) -> str:
    """Return an author or a licence without white space at its ends.

    Raises:
        BadInputError: it is empty, too long, or has characters that nobody can read.
    """
    text = text.strip() if isinstance(text, str) else ""
    if not text or len(text) > MAX_DETAIL_CHARACTERS or not text.isprintable():
        raise BadInputError(
            f"The pack's {what} is a text of 1 to {MAX_DETAIL_CHARACTERS} characters on one line; "
            f"received {ascii(text)[:80]}."
        )
    return text


def check_network(pack: Pack, fingerprint: str, dimension: int) -> None:
    """Refuse a pack whose features another network made.

    Args:
        pack: to be installed.
        fingerprint: of the backbone that serves.
        dimension: of its features.

    Raises:
        BadInputError: it is such a pack.
    """
    if pack.network != fingerprint or pack.characters[0].features.shape[1] != dimension:
        raise BadInputError(
            f"The pack {pack.name} was made for the network {pack.network}; {fingerprint} serves here. "
            "Who has its pictures can make it again with the model that serves here: `kyara pack create "
            "NEW --from PACK --pictures FOLDER`."
        )


def check_pack(pack: Pack) -> None:
    """Refuse what a pack cannot say.

    Raises:
        BadInputError: see the sentence.
    """
    check_pack_name(pack.name)
    check_detail(pack.author, "author")
    check_detail(pack.licence, "licence")
    labels = {one.character.label for one in pack.characters}
    if not 1 <= len(pack.characters) <= MAX_PACK_CHARACTERS:
        raise BadInputError(
            f"A pack has 1 to {MAX_PACK_CHARACTERS:,} characters; received {len(pack.characters):,}."
        )
    if len(labels) < len(pack.characters):
        raise BadInputError("A character is in the pack twice.")
    if not _NETWORK.fullmatch(pack.network):
        raise BadInputError(f"{ascii(pack.network)[:40]} is not the fingerprint of a network.")
    for one in pack.characters:
        _check_label(one.character.label)
        lengths = np.linalg.norm(one.features.astype(np.float32), axis=1)
        if not (len(lengths) and np.abs(lengths - 1).max() <= UNIT_TOLERANCE):  # NaN is no length
            raise BadInputError(f"The faces of {one.character.label} in the pack are no embeddings.")


def _check_label(label: str) -> None:
    """Refuse a label that nobody can read; of some that bundles have not all characters are ASCII."""
    is_text = isinstance(label, str)
    if not is_text or not (is_label(label) or check_texts({"en": label}, "label") == {"en": label}):
        raise BadInputError(f"The label {ascii(label)[:120]} in the pack cannot be taken.")
