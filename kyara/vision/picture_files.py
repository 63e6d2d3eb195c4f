"""Picture files: which there are, by name, and which formats are read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from kyara.errors import UnsupportedImageError
from kyara.storage.extras import name_install

FILE_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF", "TIFF")
"""What the command line and the dataset reader take, and HEIF where its package is installed."""
SUFFIXES = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .webp .avif .bmp .gif .tif .tiff .heic .heif".split()
)
"""File names that are taken for pictures when a folder is read."""
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


def is_picture_name(name: str) -> bool:
    """Tell whether a file is taken for a picture, by its name; what macOS keeps beside one is none."""
    return Path(name).suffix.lower() in SUFFIXES and not name.startswith("._")


def is_picture_file(path: Path) -> bool:
    """Tell whether a file is taken for a picture; a folder is none, whatever its name."""
    return is_picture_name(path.name) and not path.is_dir()


def list_pictures(folder: Path) -> list[Path]:
    """Return every picture file below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if is_picture_file(path))


def is_heif(data: bytes) -> bool:
    """Tell whether a file is HEIC or HEIF, by its brands.

    Args:
        data: the file's bytes.
    """
    if data[4:8] != b"ftyp":
        return False
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    brands = {box[at : at + 4] for at in range(0, len(box), 4) if at != 4}  # the second is a version
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def has_heif() -> bool:
    """Tell whether the package for HEIC and HEIF is installed."""
    return find_spec("pillow_heif") is not None


def open_heif() -> str:
    """Have Pillow read HEIC and HEIF; return the name of the format.

    Raises:
        UnsupportedImageError: the package for it is not installed.
    """
    try:
        from pillow_heif import register_heif_opener
    except ModuleNotFoundError as error:
        raise UnsupportedImageError(
            "This is a HEIC picture, which needs the package pillow-heif: "
            f"`{name_install('heif')}` brings it."
        ) from error
    register_heif_opener(thumbnails=False)
    return "HEIF"
