"""Data URLs → pixels: the one way in which a crop enters over HTTP.

First every crop of a request is read as far as its header, so that the price of the request is known
before anything is unpacked; then one at a time is decoded, when its turn has come.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from kyara.errors import BadInputError, KyaraError, TooLargeError
from kyara.vision.images import MAX_IMAGE_PIXELS, decode_image, measure_image
from kyara.web.serving.admission import Deadline

MAX_CROPS = 32
MAX_REQUEST_PIXELS = 4 * MAX_IMAGE_PIXELS
"""All crops of one request together."""
ENOUGH_PX = 512
"""Crops of twice this side and more are made smaller while they are unpacked; networks take 128 px."""
FREE_PIXELS = 2_000_000
"""Of a request; what it has beyond them makes it count as more than one, and as more than its crops."""
PIXELS_PER_CROP = 250_000
"""To decode so many takes as long as the network takes for one crop."""
PIXELS_PER_REQUEST = 2_000_000
BYTES_PER_REQUEST = 2 * 1024 * 1024
_HEADER = re.compile(r"data:[\w.+/-]{0,100};base64,")
_LARGE_PIXELS = 1_000_000
# What is unpacked at the same time could fill the memory: one large picture and two small ones.
_large, _small = threading.BoundedSemaphore(1), threading.BoundedSemaphore(2)


class SentCrops:
    """The crops of one request, read as far as their headers.

    Attributes:
        pixels: what the headers declare, together.
        size_bytes: of the files, together.
    """

    def __init__(self, data_urls: list[str], *, numbered: bool = True) -> None:
        """Read data URLs; their types are told by their content, what the URLs claim is ignored.

        Args:
            data_urls: `data:image/png;base64,…` with PNG, JPEG or WebP content; the list is emptied.
            numbered: errors tell which crop it is.

        Raises:
            KyaraError: one of its subclasses with the status 400, 413 or 415; `crop` is the index.
        """
        self.pixels = self.size_bytes = 0
        self._numbered = numbered
        self._files: list[tuple[bytes, int]] = []
        data_urls.reverse()
        while data_urls:
            with self._naming(len(self._files)):
                self._read(data_urls.pop())

    @property
    def extra_crops(self) -> int:
        """How many crops' work it is to decode them, beyond what every request may cost."""
        return max(0, self.pixels - FREE_PIXELS) // PIXELS_PER_CROP

    @property
    def extra_requests(self) -> int:
        """How many requests they count as beyond the one that they are."""
        extra_pixels = max(0, self.pixels - FREE_PIXELS)
        return extra_pixels // PIXELS_PER_REQUEST + self.size_bytes // BYTES_PER_REQUEST

    def decode(self, deadline: Deadline) -> Iterator[np.ndarray]:
        """Decode one crop at a time.

        Args:
            deadline: of the request; nothing waits longer.

        Yields:
            `uint8 (H, W, 3)` sRGB; the longest side is under twice `ENOUGH_PX`.

        Raises:
            KyaraError: a crop is broken or of another format, or the time is over.
        """
        for index, (data, pixels) in enumerate(self._files):
            deadline.check()
            with self._naming(index), deadline.hold(_large if pixels > _LARGE_PIXELS else _small):
                decoded = decode_image(data, enough_px=ENOUGH_PX)
            yield decoded

    def decode_one(self, deadline: Deadline) -> np.ndarray:
        """Decode the only crop; as `decode`."""
        return next(self.decode(deadline))

    def _read(self, data_url: str) -> None:
        header = _HEADER.match(data_url)
        if header is None:
            raise BadInputError("A crop is a data URL such as data:image/png;base64,….")
        try:
            data = base64.b64decode(data_url[header.end() :], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadInputError(f"The crop's base64 is wrong: {error}.") from error
        declared = measure_image(data)
        pixels = declared.pixels if declared else 0
        self._files.append((data, pixels))
        self.pixels += pixels
        self.size_bytes += len(data)
        if self.pixels > MAX_REQUEST_PIXELS:
            raise TooLargeError(
                f"The crops have more than {MAX_REQUEST_PIXELS:,} pixels together; send fewer."
            )

    @contextmanager
    def _naming(self, index: int) -> Iterator[None]:
        """Let errors tell which crop it is."""
        try:
            yield
        except KyaraError as error:
            error.crop = index if self._numbered else None
            raise
