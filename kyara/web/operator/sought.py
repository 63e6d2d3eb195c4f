"""The embedding of a face that is sought ↔ a short text, which an address can hold.

So a search by a face that was dropped can be shared, and nothing of the picture is kept on the server.
A byte a feature: the cosine with the embedding itself is above 0.9999 at 512 features.
"""

from __future__ import annotations

import base64
import binascii

import numpy as np

from kyara.errors import BadInputError

MAX_CHARACTERS = 3_600
"""Of the text: 2,650 features; an address may be 4,096 long."""
_NETWORK_CHARACTERS = 8
_CUT_SHORT = "The face in the address is cut short: drop the picture again."


def write_sought(embedding: np.ndarray, network: str) -> str:
    """Return an embedding as text.

    Args:
        embedding: `float (features,)`, of any length but 0.
        network: fingerprint of what made it.
    """
    largest = float(np.abs(embedding).max())
    steps = np.round(embedding / largest * 127).astype(np.int8)
    return f"{network[:_NETWORK_CHARACTERS]}.{base64.urlsafe_b64encode(steps.tobytes()).decode()}"


def read_sought(text: str, network: str, dimension: int) -> np.ndarray:
    """Return the embedding, `float32 (dimension,)`, of any length.

    Args:
        text: as `write_sought` gives it.
        network: fingerprint of what is to have made it.
        dimension: how many features it is to have.

    Raises:
        BadInputError: it is no such text, or another network made it.
    """
    made_by, _, encoded = text.partition(".")
    if made_by != network[:_NETWORK_CHARACTERS]:
        raise BadInputError("Another model has seen the face in the address: drop the picture again.")
    try:
        steps = np.frombuffer(base64.b64decode(encoded, altchars=b"-_", validate=True), np.int8)
    except (binascii.Error, ValueError) as error:
        raise BadInputError(_CUT_SHORT) from error
    if len(steps) != dimension or not steps.any():
        raise BadInputError(_CUT_SHORT)
    return steps.astype(np.float32)
