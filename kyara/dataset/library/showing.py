"""Pictures of a library → small copies to look at, from their files on disk."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import Engine, select

from kyara.dataset.library.reading import is_shown
from kyara.dataset.library.sources import find_source, is_bucket, join_path, make_path
from kyara.dataset.library.tables import PictureRow, RootRow
from kyara.errors import NotFoundError
from kyara.storage.files.bucket import Stamp
from kyara.vision.images import MAX_IMAGE_PIXELS, decode_image, encode_image, shrink_pixels
from kyara.vision.picture_files import FILE_FORMATS

_CHANGED = "The picture has changed since it was scanned; scan it again."
QUALITY = 85
"""Of the JPEG."""


@dataclass(frozen=True)
class PictureFile:
    """A picture's file as it was when its faces were found.

    Attributes:
        path: absolute.
        size: in bytes.
        mtime_ns: when it was changed last.
    """

    path: Path
    size: int
    mtime_ns: int

    def check(self) -> None:
        """Refuse a file that is another one by now; the boxes of its faces would lie anywhere.

        Raises:
            NotFoundError: it is gone, has changed, or is no file.
        """
        try:
            if not is_bucket(self.path) and not stat.S_ISREG(os.stat(self.path).st_mode):
                raise NotFoundError(_CHANGED)
            self._compare(find_source(str(self.path)).stat(str(self.path)))
        except OSError as error:
            raise NotFoundError(f"The picture cannot be read ({error.strerror}).") from error

    def _compare(self, found: Stamp) -> None:
        if (found.size, found.mtime_ns) != (self.size, self.mtime_ns):
            raise NotFoundError(_CHANGED)

    def decode(self, enough_px: int | None = None) -> np.ndarray:
        """Return its pixels, `uint8 (H, W, 3)`.

        Args:
            enough_px: as in `decode_image`.

        Raises:
            KyaraError: as `check`, or it cannot be read.
        """
        self.check()
        try:
            found, data = find_source(str(self.path)).read(str(self.path))
        except OSError as error:
            raise NotFoundError(f"The picture cannot be read ({error.strerror}).") from error
        self._compare(found)
        most = 4 * MAX_IMAGE_PIXELS
        return decode_image(data, formats=FILE_FORMATS, max_pixels=most, enough_px=enough_px)


def find_picture_file(engine: Engine, picture: int) -> PictureFile:
    """Return the file of a picture by its number.

    Raises:
        NotFoundError: there is no such picture, or it was missing or unreadable at the last scan.
    """
    columns = PictureRow.path, PictureRow.size, PictureRow.mtime_ns, RootRow.path.label("folder")
    query = select(*columns).join(RootRow, RootRow.id == PictureRow.root)
    with engine.connect() as connection:
        row = connection.execute(query.where(PictureRow.id == picture, is_shown())).first()
    if row is None:
        raise NotFoundError("There is no such picture any more.")
    return PictureFile(make_path(join_path(row.folder, row.path)), row.size, row.mtime_ns)


def shrink_picture(file: PictureFile, longest_px: int) -> bytes:
    """Return a JPEG of a picture whose longest side is no longer than this.

    Raises:
        KyaraError: as `PictureFile.decode`.
    """
    pixels = shrink_pixels(file.decode(enough_px=longest_px), longest_px)
    return encode_image(Image.fromarray(pixels), "JPEG", quality=QUALITY)
