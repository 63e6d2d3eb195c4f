"""Data URLs → pixels: the one way in which a crop enters over HTTP."""

from __future__ import annotations

import base64
import binascii
import re
import threading

import numpy as np

from kyara.errors import BadInputError, KyaraError
from kyara.vision.images import decode_image

MAX_CROPS = 32
_HEADER = re.compile(r"data:[\w.+/-]{0,100};base64,")
# Pixels unpacked at the same time are what could fill the memory: two decoders, whatever comes.
_decoders = threading.BoundedSemaphore(2)


def decode_crop(data_url: str, *, index: int | None = None) -> np.ndarray:
    """Decode one crop. Its type is told by its content; the type that the URL claims is ignored.

    Args:
        data_url: `data:image/png;base64,…` with PNG, JPEG or WebP content.
        index: position of the crop in its request, for the error.

    Returns:
        `uint8 (H, W, 3)` sRGB.

    Raises:
        KyaraError: one of its subclasses with the status 400, 413, 415 or 422; `crop` is `index`.
    """
    try:
        header = _HEADER.match(data_url)
        if header is None:
            raise BadInputError("A crop is a data URL such as data:image/png;base64,….")
        try:
            data = base64.b64decode(data_url[header.end() :], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadInputError(f"The crop's base64 is wrong: {error}.") from error
        with _decoders:
            return decode_image(data)
    except KyaraError as error:
        error.crop = index
        raise
