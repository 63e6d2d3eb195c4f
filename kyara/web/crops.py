"""Data URLs → pixels: the one way in which a crop enters over HTTP.

First every picture of a request is read as far as its header, so that the price of the request is known
before anything is unpacked; then one at a time is decoded, when its turn has come.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from kyara.errors import BadInputError, KyaraError, TooLargeError
from kyara.vision.images import ENOUGH_PX, MAX_IMAGE_PIXELS, decode_image, measure_image
from kyara.vision.structure import Declared
from kyara.web.serving.admission import Deadline

MAX_CROPS = 32
MAX_PICTURES = 8
"""Whole pictures of one request, whose faces are found here."""
MAX_PICTURE_PIXELS = 12_500_000
"""Of each of them: they stay in memory at their own size, and phones take photographs of 12.2 Mpx."""
MAX_REQUEST_PIXELS = 4 * MAX_IMAGE_PIXELS
"""All pictures of one request together."""
FREE_PIXELS = 2_000_000
"""Of a request; what it has beyond them makes it count as more than one, and as more than its crops."""
PIXELS_PER_CROP = 250_000
"""To decode so many takes as long as the network takes for one crop."""
PIXELS_PER_REQUEST = 2_000_000
BYTES_PER_REQUEST = 2 * 1024 * 1024
_HEADER = re.compile(r"data:[\w.+/-]{0,100};base64,")
_LINE_BREAKS = str.maketrans("", "", "\r\n")
_LARGE_PIXELS = 1_000_000
# What is unpacked at the same time could fill the memory: one large picture and two small ones.
_large, _small = threading.BoundedSemaphore(1), threading.BoundedSemaphore(2)


class SentPictures:
    """The picture files of one request, read as far as their headers.

    Attributes:
        pixels: what the headers declare, together.
        size_bytes: of the files, together.
        errors: index → what is wrong with a picture, where the others are answered all the same.
        warnings: index → what is to be said of a picture that is answered.
    """

    def __init__(
        self,
        sent: Iterable[Callable[[], bytes]],
        *,
        numbered: bool = True,
        tolerant: bool = False,
        max_pixels: int = MAX_IMAGE_PIXELS,
    ) -> None:
        """Read files; their types are told by their content.

        Args:
            sent: what gives the bytes of each.
            numbered: errors tell which picture it is.
            tolerant: what is wrong with some is kept in `errors`, unless it is wrong with all.
            max_pixels: of each picture.

        Raises:
            KyaraError: one of its subclasses with the status 400, 413 or 415; `crop` is the index.
        """
        self.pixels = self.size_bytes = 0
        self.errors: dict[int, KyaraError] = {}
        self.warnings: dict[int, str] = {}
        self._numbered, self._tolerant, self._max_pixels = numbered, tolerant, max_pixels
        self._files: list[tuple[bytes, Declared | None]] = []
        for index, read in enumerate(sent):
            self._files.append((b"", None))
            with self._naming(index):
                data = read()
                self._files[index] = data, measure_image(data, max_pixels=max_pixels)
            self._count(index)
        self.check_any()

    @property
    def extra_crops(self) -> int:
        """How many crops' work it is to decode them, beyond what every request may cost."""
        return max(0, self.pixels - FREE_PIXELS) // PIXELS_PER_CROP

    @property
    def extra_requests(self) -> int:
        """How many requests they count as beyond the one that they are."""
        extra_pixels = max(0, self.pixels - FREE_PIXELS)
        return extra_pixels // PIXELS_PER_REQUEST + self.size_bytes // BYTES_PER_REQUEST

    @property
    def good(self) -> list[int]:
        """The indices of those that nothing is known to be wrong with."""
        return [index for index in range(len(self._files)) if index not in self.errors]

    def declared(self, index: int) -> Declared:
        """Return the size that a picture's header declares."""
        return self._files[index][1] or Declared(0, 0)

    def check_any(self) -> None:
        """Refuse if something is wrong with every picture.

        Raises:
            KyaraError: what is wrong with the first one.
        """
        if self._files and not self.good:
            raise self.errors.pop(0)  # not kept: its frames hold this object

    def describe_problem(self, index: int) -> dict[str, Any]:
        """Return the members of the answer that tell what is wrong with a picture, if anything is."""
        if error := self.errors.get(index):
            told = {"title": error.title, "status": error.status, "detail": str(error)}
            return {"error": told}
        return {"warning": self.warnings[index]} if index in self.warnings else {}

    def fail(self, index: int, error: KyaraError) -> None:
        """Keep what is wrong with a picture.

        Raises:
            KyaraError: the error itself, where the others are not answered all the same.
        """
        error.crop = index if self._numbered else None
        if not self._tolerant:
            raise error
        # Its frames hold this object: with them all bytes would stay until the garbage is looked for.
        error.__traceback__ = error.__context__ = error.__cause__ = None
        self.errors[index] = error

    @contextmanager
    def unpack(
        self, index: int, deadline: Deadline, enough_px: int | None = None
    ) -> Iterator[np.ndarray | None]:
        """Decode one picture, and hold the room that its pixels take.

        Args:
            index: of the picture.
            deadline: of the request; nothing waits longer.
            enough_px: as in `decode_image`.

        Yields:
            `uint8 (H, W, 3)` sRGB; None where it cannot be decoded, which is in `errors` then.

        Raises:
            KyaraError: it is broken or of another format, or the time is over.
        """
        deadline.check()
        data, declared = self._files[index]
        is_large = declared is not None and declared.pixels > _LARGE_PIXELS
        pixels = None
        with deadline.hold(_large if is_large else _small):
            with self._naming(index):
                told, most = self._note(index), self._max_pixels
                pixels = decode_image(data, max_pixels=most, enough_px=enough_px, tell=told)
            yield pixels

    def _note(self, index: int) -> Callable[[str], None]:
        return lambda sentence: self.warnings.update({index: sentence})

    def _count(self, index: int) -> None:
        data, declared = self._files[index]
        self.pixels += declared.pixels if declared else 0
        self.size_bytes += len(data)
        if self.pixels > MAX_REQUEST_PIXELS:
            raise TooLargeError(
                f"The pictures have more than {MAX_REQUEST_PIXELS:,} pixels together; send fewer.",
                crop=index if self._numbered else None,
            )

    @contextmanager
    def _naming(self, index: int) -> Iterator[None]:
        """Let errors tell which picture it is."""
        try:
            yield
        except KyaraError as error:
            self.fail(index, error)


class SentCrops(SentPictures):
    """The crops of one request, as data URLs."""

    def __init__(self, data_urls: list[str], *, numbered: bool = True, tolerant: bool = False) -> None:
        """Read data URLs; what they claim to be is ignored.

        Args:
            data_urls: `data:image/png;base64,…` with PNG, JPEG or WebP content; the list is emptied.
            numbered: see `SentPictures`.
            tolerant: likewise.

        Raises:
            KyaraError: likewise.
        """
        data_urls.reverse()
        reads = ((lambda: read_data_url(data_urls.pop())) for _ in range(len(data_urls)))
        super().__init__(reads, numbered=numbered, tolerant=tolerant)

    def decode(self, deadline: Deadline) -> Iterator[np.ndarray]:
        """Decode one crop at a time; those in `errors` are left out.

        Args:
            deadline: of the request; nothing waits longer.

        Yields:
            `uint8 (H, W, 3)` sRGB; the longest side is under twice `ENOUGH_PX`.

        Raises:
            KyaraError: a crop is broken or of another format, or the time is over.
        """
        for index in self.good:
            with self.unpack(index, deadline, ENOUGH_PX) as decoded:
                pass
            if decoded is not None:
                yield decoded

    def decode_one(self, deadline: Deadline) -> np.ndarray:
        """Decode the only crop; as `decode`."""
        return next(self.decode(deadline))


def read_data_url(text: str) -> bytes:
    """Return the file in a data URL; its base64 may have line breaks.

    Raises:
        BadInputError: it is none, or its base64 is wrong.
    """
    header = _HEADER.match(text)
    if header is None:
        raise BadInputError("A crop is a data URL such as data:image/png;base64,….")
    encoded = text[header.end() :]
    if "\n" in encoded or "\r" in encoded:
        encoded = encoded.translate(_LINE_BREAKS)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInputError(f"The crop's base64 is wrong: {error}.") from error
