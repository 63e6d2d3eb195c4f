"""Where things are: what ships with Kyara, and what belongs to this installation.

In a checkout both are the checkout's top level. An installed copy has what ships in its package, in
`_data` (see setup.py); what it writes is in the current folder, or in the one that `KYARA_HOME` names.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
IS_INSTALLED = (_PACKAGE / "_data").is_dir()

ROOT = _PACKAGE / "_data" if IS_INSTALLED else _PACKAGE.parent
"""Holds what ships: `static/`, `templates/`, `translations/`, `model/`; read-only where installed."""
HOME = Path(os.environ.get("KYARA_HOME") or (Path.cwd() if IS_INSTALLED else ROOT)).resolve()
"""Holds what Kyara writes: `instance/`, `user_report/`, `dataset/`, `runs/`, `model/`."""
COMMAND_FOLDER = HOME if IS_INSTALLED else ROOT
"""Where `python -m kyara` is started as a process: a checkout is imported from the current folder."""

INSTANCE_FOLDER = HOME / "instance"
"""Where what belongs to this installation is kept by default: accounts, keys, caches."""
REPORT_FOLDER = HOME / "user_report"
DATASET_FOLDER = HOME / "dataset"
RUN_FOLDER = HOME / "runs"
ANIMEFACE_FOLDER = INSTANCE_FOLDER / "animeface" if IS_INSTALLED else ROOT / ".venv" / "animeface"
"""A virtual environment that one of the detectors needs."""

SHIPPED_MODELS = ROOT / "model"
OWN_MODELS = HOME / "model"
MODEL_FOLDER = OWN_MODELS if (OWN_MODELS / "registry.json").is_file() else SHIPPED_MODELS
"""The model folder by default: this installation's own, once `own_models` has made it."""


def show_path(path: str | os.PathLike[str]) -> str:
    """Return a path as text that can be printed; a byte that is no UTF-8 by its number."""
    return os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def choose_free_picture(folder: Path, stem: str) -> Path:
    """Return the path of a PNG that is not there yet: a number is added where a name is taken."""
    names = (f"{stem}.png" if number == 1 else f"{stem}-{number}.png" for number in count(1))
    return next(path for name in names if not (path := folder / name).exists())


def find_owned(folder: Path) -> Path:
    """Return where what belongs beside a model folder's bundles is written: never into the package."""
    return OWN_MODELS if folder.resolve() == SHIPPED_MODELS else folder


def own_models(folder: Path) -> Path:
    """Return a model folder that may be written: of the shipped one a copy is made first.

    Args:
        folder: a model folder; every other than the shipped one is returned as it is.
    """
    if folder.resolve() != SHIPPED_MODELS or OWN_MODELS == SHIPPED_MODELS:
        return folder
    OWN_MODELS.mkdir(parents=True, exist_ok=True)
    entries = sorted(SHIPPED_MODELS.iterdir(), key=lambda path: path.name == "registry.json")
    for entry in entries:  # the registry last: without it the folder is not taken for whole
        target = OWN_MODELS / entry.name
        partial = OWN_MODELS / f".{entry.name}.{os.getpid()}.partial"
        if not target.exists():
            _copy_once(entry, partial, target)
    return OWN_MODELS


def _copy_once(entry: Path, partial: Path, target: Path) -> None:
    """Copy a file or a folder whole; what another process has put there first stays."""
    if entry.is_dir():
        shutil.copytree(entry, partial)
        try:
            partial.rename(target)
        except OSError:
            shutil.rmtree(partial)
        return
    shutil.copyfile(entry, partial)
    with suppress(FileExistsError):
        os.link(partial, target)
    partial.unlink()
