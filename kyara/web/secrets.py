"""What every configured secret must be: long, of different characters, and no example of the documents.

Secrets come from the environment or from a file of the installation's own; none has a default.
"""

from __future__ import annotations

EXAMPLES = (
    "abcdefgh",
    "change",
    "example",
    "insecure",
    "password",
    "placeholder",
    "replace",
    "secret",
    "0123456789",
    "1234567890",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",  # Flask's documentation
)
"""Parts of secrets that were copied from somewhere; a random text holds none of them in a lifetime."""


def find_weakness(secret: str, characters: int, different: int) -> str:
    """Return what is wrong with a secret, as the end of a sentence; empty if nothing is.

    Args:
        secret: as it was configured.
        characters: at least so many it has to have.
        different: at least so many of them have to differ.
    """
    if len(secret) < characters:
        return f"it needs at least {characters} characters; received {len(secret)}"
    if len(set(secret)) < different:
        return f"it needs at least {different} different characters; received {len(set(secret))}"
    if known := next((each for each in EXAMPLES if each in secret.lower()), ""):
        return f"it holds {known!r}, as examples do: everybody knows it"
    return ""
