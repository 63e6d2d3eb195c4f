"""What every configured secret must be: long, of different characters, and no example of the documents.

Secrets come from the environment or from a file of the installation's own; none has a default.
"""

from __future__ import annotations

from kyara.errors import BadInputError

MIN_TOKEN_CHARACTERS = 16
MIN_DIFFERENT_IN_TOKEN = 8
MIN_KEY_CHARACTERS = 32
MIN_DIFFERENT_IN_KEY = 10
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


def check_operator_token(token: object) -> str:
    """Return the configured token; empty means that there are no operator routes.

    Raises:
        BadInputError: too short or too plain to be safe, an example, or not plain text.
    """
    if not isinstance(token, str):
        raise BadInputError(
            "KYARA_OPERATOR_TOKEN looks like a number or JSON: choose text with letters, such as "
            "`python -c 'import secrets; print(secrets.token_urlsafe())'` prints."
        )
    if token and (len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or token != token.strip()):
        raise BadInputError(
            f"KYARA_OPERATOR_TOKEN needs at least {MIN_TOKEN_CHARACTERS} ASCII characters, "
            f"without spaces around them; received {len(token)}."
        )
    weakness = find_weakness(token, MIN_TOKEN_CHARACTERS, MIN_DIFFERENT_IN_TOKEN) if token else ""
    if weakness:
        raise BadInputError(f"KYARA_OPERATOR_TOKEN is weak: {weakness}.")
    return token


def check_metrics_token(token: object) -> None:
    """Refuse a token that can be guessed; empty is none.

    Raises:
        BadInputError: it is short, plain, an example or not ASCII text.
    """
    weakness = "it is a number or JSON, not text"
    if isinstance(token, str):
        weakness = find_weakness(token, MIN_TOKEN_CHARACTERS, MIN_DIFFERENT_IN_TOKEN) if token else ""
        weakness = weakness or ("" if token.isascii() else "it needs ASCII characters alone")
    if weakness:
        raise BadInputError(f"KYARA_METRICS_TOKEN is weak: {weakness}.")


def check_secret_key(key: object, *, shared: bool = False) -> str:
    """Return a secret key that is fit to sign cookies with; empty is none.

    Args:
        key: as it is configured.
        shared: several servers may use the same accounts: a session must hold on all of them.

    Raises:
        BadInputError: too short, too plain or an example, or none where it is needed.
    """
    if key in (None, "") and shared:
        raise BadInputError(
            "Set KYARA_SECRET_KEY, on all servers to the same value, such as "
            "`python -c 'import secrets; print(secrets.token_urlsafe(48))'` prints: the database of "
            "operators is one that several servers may share, and a session must hold on all of them."
        )
    if key in (None, ""):
        return ""
    weakness = "it is a number or JSON, not text"
    if isinstance(key, str):
        weakness = find_weakness(key, MIN_KEY_CHARACTERS, MIN_DIFFERENT_IN_KEY)
    if weakness or not isinstance(key, str):
        raise BadInputError(
            f"KYARA_SECRET_KEY is weak: {weakness}. Take what "
            "`python -c 'import secrets; print(secrets.token_urlsafe(48))'` prints. "
            "Without the variable Kyara makes one and keeps it."
        )
    return key
