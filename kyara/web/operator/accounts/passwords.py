"""What an operator's name and password may be, and how passwords are kept: argon2id, never plain."""

from __future__ import annotations

import re
import unicodedata
from contextlib import AbstractContextManager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kyara.errors import BadInputError
from kyara.web.operator.accounts.tables import MAX_NAME_CHARACTERS
from kyara.web.serving.admission import Admission, Deadline

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 1_000
MIN_DIFFERENT_CHARACTERS = 6
_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_NAME_CHARACTERS - 1}}}")
_hasher = PasswordHasher()
"""Parameters of RFC 9106 for little memory (64 MiB), as argon2-cffi has them."""
WAIT_S = 10
"""So long a login may wait for its turn."""
_turns = Admission(running_places=2, places=8)
"""Each argon2 hash takes 64 MiB, so at most two run at once; six wait, and no more threads than that."""


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash("nobody has this password")


def check_name(name: str) -> str:
    """Return an operator's name in lower case.

    Raises:
        BadInputError: not 1 to 40 of `a-z 0-9 . _ -`, the first a letter or a digit.
    """
    folded = name.strip().lower()
    if not _NAME.fullmatch(folded):
        raise BadInputError(
            f"An operator's name is 1 to {MAX_NAME_CHARACTERS} of the characters a-z 0-9 . _ -, and "
            f"begins with a letter or a digit; received {ascii(name)[:80]}."
        )
    return folded


def check_password(password: str, name: str) -> str:
    """Return the password in NFKC, in which every keyboard gives the same characters.

    Args:
        password: at least 12 characters, six of them different; no rule about which.
        name: of the operator, whose password is not their name.

    Raises:
        BadInputError: a rule is broken.

    Source: length rather than rules of composition: NIST SP 800-63B, section 3.1.1.2
    """
    text = unicodedata.normalize("NFKC", password[: MAX_PASSWORD_CHARACTERS + 1])
    if not MIN_PASSWORD_CHARACTERS <= len(text) <= MAX_PASSWORD_CHARACTERS:
        raise BadInputError(
            f"A password has {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS:,} characters; "
            f"received {len(password):,}. A few words that nobody else would put together will do."
        )
    rest = text.lower().replace(name, "") if name else text
    if len(set(rest)) < MIN_DIFFERENT_CHARACTERS or any(c in "\r\n\0" for c in text):
        raise BadInputError(
            f"This password is easily guessed: use at least {MIN_DIFFERENT_CHARACTERS} different "
            "characters besides the name, in one line."
        )
    return text


def take_turn() -> AbstractContextManager[None]:
    """Wait for a turn to hash or verify one password, and hold it.

    Raises:
        BusyError: too many wait, or the turn does not come in `WAIT_S` seconds.
    """
    return _turns.hold(Deadline(WAIT_S))


def hash_password(password: str) -> str:
    """Return the argon2id hash of a checked password, with its parameters and salt."""
    return _hasher.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Tell whether a password is the one of a hash.

    Args:
        password: as it was typed.
        password_hash: of `hash_password`; None if there is no such account, which takes as long.
    """
    text = unicodedata.normalize("NFKC", password[: MAX_PASSWORD_CHARACTERS + 1])
    nobody = _hash_of_nobody()  # made by whoever is first, so that time tells nothing about who there is
    try:
        right = _hasher.verify(password_hash or nobody, text)
    except (VerificationError, InvalidHashError):
        return False
    return right and password_hash is not None


def needs_new_hash(password_hash: str) -> bool:
    """Tell whether a hash was made with other parameters than those of today."""
    return _hasher.check_needs_rehash(password_hash)
