"""Sites that keep all that they write in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operators import PASSWORD

from kyara.web.operator.accounts import AccountStore
from scripts.local_site import Server


def serve_in(folder: Path, model: Path, **settings: Any) -> Server:
    """Start a site that keeps everything in a folder, with a model folder."""
    own = {
        "INSTANCE_FOLDER": folder / "instance",
        "DATASET_FOLDER": folder / "dataset",
        "TAUGHT_DATABASE": folder / "taught.db",
    }
    return Server(folder / "user_report", model=model, **{**own, **settings})


def make_accounts(folder: Path, *names: str) -> None:
    """Make operators of the site in a folder, as the command line does."""
    accounts = AccountStore(folder / "instance")
    for name in names:
        accounts.create(name, PASSWORD)
    accounts.close()
