"""Report crops on disk: PNG files that carry their whole report; one with its final name is whole."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kyara.durable import sync_folder
from kyara.errors import BadInputError, StorageFullError
from kyara.images import decode_image

CHUNK_KEYWORD = "kyara-report"
"""Keyword of the iTXt chunk that holds the report as JSON."""
SET_ASIDE = "set_aside"
"""Sub-folder for what cannot be adopted."""
_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FILE_NAME = re.compile(r"(?P<stem>.+)-(?P<id>[0-9a-f]{32})\.png")


def check_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels unchanged.

    Raises:
        BadInputError: not `uint8 (H, W, 3)` with at least one pixel.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise BadInputError(
            f"A crop is uint8 (H, W, 3) with pixels; received {pixels.dtype} {pixels.shape}."
        )
    return pixels


def hash_pixels(pixels: np.ndarray) -> str:
    """Return the SHA-256 over shape and pixels (`uint8 (H, W, 3)`) in hexadecimal."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def encode_report(pixels: np.ndarray, details: dict[str, Any]) -> bytes:
    """Encode a crop as PNG that carries its report.

    Args:
        pixels: `uint8 (H, W, 3)`.
        details: the report as a JSON object; kept in one iTXt chunk, UTF-8.
    """
    chunks = PngInfo()
    chunks.add_itxt(CHUNK_KEYWORD, json.dumps(details, ensure_ascii=False))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def decode_report(data: bytes) -> tuple[np.ndarray, dict[str, Any]]:
    """Return what `encode_report` was given; no details (`{}`) where the PNG carries none.

    Raises:
        KyaraError: not a whole PNG.
    """
    pixels = decode_image(data, formats=("PNG",))
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            details = json.loads(image.info.get(CHUNK_KEYWORD, "{}"))
    except (ValueError, TypeError, RecursionError):
        return pixels, {}
    return pixels, details if isinstance(details, dict) else {}


def file_name(stem: str, report_id: str) -> str:
    """Return `<stem>-<id>.png`."""
    return f"{stem}-{report_id}.png"


def part_name(name: str) -> str:
    """Return the name that a file has while it is being written."""
    return f".{name}.part"


def parse_file_name(name: str) -> tuple[str, str] | None:
    """Return `(stem, id)` of a finished or a half-written file, None where it is not a report's."""
    if name.startswith(".") and name.endswith(".part"):
        name = name[1 : -len(".part")]
    match = _FILE_NAME.fullmatch(name)
    return (match["stem"], match["id"]) if match else None


def write_file(folder: Path, name: str, data: bytes) -> None:
    """Write a file that after a crash is there whole or not at all; never overwrite one.

    Args:
        folder: exists.
        name: a plain file name without a folder.
        data: the whole content.

    Raises:
        StorageFullError: no room; nothing is left behind.
    """
    part = folder / part_name(name)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        finish_file(folder, name)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno in _FULL_ERRNOS:
            raise StorageFullError(
                f"There is no room for this report's {len(data):,} bytes ({os.strerror(error.errno)}). "
                "It was not stored; please send it again later."
            ) from error
        raise


def finish_file(folder: Path, name: str) -> None:
    """Give a half-written file its name, for good.

    Raises:
        FileExistsError: the name is taken; nothing changed.
    """
    target = folder / name
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.replace(folder / part_name(name), target)
    sync_folder(folder)


def move_aside(folder: Path, name: str) -> Path:
    """Move a file into `set_aside/` under a name that is free there, and return its new place."""
    aside = folder / SET_ASIDE
    aside.mkdir(exist_ok=True)
    target, number = aside / name, 1
    while target.exists():
        target, number = aside / f"{number}-{name}", number + 1
    os.replace(folder / name, target)
    return target


class FolderLock:
    """Says which processes use a report folder; the system releases it however a process ends."""

    def __init__(self, folder: Path) -> None:
        """Open (not yet take) the lock of a folder."""
        self.descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def take_alone(self) -> bool:
        """Return True, holding the folder alone, where nobody else uses it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Use the folder along with others; waits while another holds it alone."""
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)
