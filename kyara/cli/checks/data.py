"""What the site keeps: the model, what was taught, reports, operators, and the disks below them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from kyara.cli.checks.finding import Finding, fine, problem, warning
from kyara.errors import KyaraError
from kyara.registry import find_taught, open_models
from kyara.web.operator.accounts import SECRET_FILE
from kyara.web.operator.accounts.tables import DATABASE_FILE
from kyara.web.secrets import MIN_KEY_CHARACTERS

SLOW_ANSWER_MS = 500
MIN_FREE_BYTES = 1024**3


def _load_bundle(config: Mapping[str, Any]) -> Any:
    models = open_models(Path(config["MODEL_FOLDER"]), config)
    try:
        return models.load_serving()
    finally:
        models.close()


def _find_taught(config: Mapping[str, Any]) -> Path | str:
    return find_taught(
        Path(config["MODEL_FOLDER"]),
        place=config["TAUGHT_DATABASE"],
        database_url=config.get("DATABASE_URL", ""),
    )


def check_model(config: Mapping[str, Any]) -> Finding:
    """Does the registry name a bundle, and are its files what they were when it was made?"""
    try:
        bundle = _load_bundle(config)
    except KyaraError as error:
        return problem(
            str(error),
            "Copy the bundle anew, promote another one, or set KYARA_MODEL_FOLDER.",
        )
    return fine(f"{bundle.name} (version {bundle.version}); every file has its SHA-256.")


def check_answer(config: Mapping[str, Any]) -> Finding:
    """How long does one answer take?"""
    from kyara.recognition.classifier import Classifier

    try:
        classifier = Classifier(_load_bundle(config))
    except KyaraError:
        return problem("No answer without a model.", "See `model`.")
    crop = np.full((160, 160, 3), 127, np.uint8)
    classifier.identify([crop])
    began = time.perf_counter()
    classifier.identify([crop])
    took_ms = (time.perf_counter() - began) * 1000
    if took_ms > SLOW_ANSWER_MS:
        return warning(f"One answer takes {took_ms:.0f} ms.", "Is the machine busy, or has it no AVX2?")
    return fine(f"One answer takes {took_ms:.0f} ms.")


def check_taught(config: Mapping[str, Any]) -> Finding:
    """Can what was taught be read?"""
    path = _find_taught(config)
    if not isinstance(path, Path):
        return fine("What was taught is in the database that a URL names; see `database`.")
    return _check_sqlite(path, "Nothing was taught yet.", "Put a copy in its place, or remove it.")


def check_gallery(config: Mapping[str, Any]) -> Finding:
    """Is there what a gallery of this size is searched with?"""
    from kyara.recognition.enrolment_store import TaughtStore
    from kyara.recognition.identities import describe_missing_library
    from kyara.recognition.neighbour_index import has_library

    with closing(TaughtStore(_find_taught(config))) as store:
        count = len(_load_bundle(config).gallery_rows) + store.count_references()
    if count < config["INDEX_FROM"]:
        return fine(f"{count:,} references, each compared with every face.")
    if not has_library():
        return warning(describe_missing_library(count), "Install it, or set KYARA_INDEX_FROM higher.")
    return fine(f"{count:,} references, searched through an index.")


def check_report_folder(config: Mapping[str, Any]) -> Finding:
    """Can reports be written?"""
    folder = Path(config["REPORT_FOLDER"])
    if not folder.exists():
        parent = next(one for one in folder.resolve().parents if one.exists())
        if os.access(parent, os.W_OK):
            return fine(f"{folder} will be made with the start.")
        return problem(f"{folder} cannot be made: {parent} may not be written.", _SET_REPORT_FOLDER)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            pass
    except OSError as error:
        return problem(f"{folder} cannot be written ({error.strerror}).", _SET_REPORT_FOLDER)
    return fine(f"{folder} can be written.")


_SET_REPORT_FOLDER = "Give the site's user the right to write there, or set KYARA_REPORT_FOLDER."


def check_report_database(config: Mapping[str, Any]) -> Finding:
    """Is the SQLite file of reports whole?"""
    if config["REPORT_DATABASE_URL"] or config.get("DATABASE_URL"):
        return fine("Reports are in the database that a URL names; see `database`.")
    advice = "Start the site: it sets the file aside, and makes a new one from the reports' pictures."
    return _check_sqlite(Path(config["REPORT_FOLDER"]) / "reports.db", "No report yet.", advice)


def check_disk(config: Mapping[str, Any]) -> Finding:
    """Is there room?"""
    folder = Path(config["REPORT_FOLDER"]).resolve()
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free, quota = shutil.disk_usage(existing).free, int(config["REPORT_QUOTA_BYTES"])
    found = f"{free / 1e9:.1f} GB are free; reports may take {quota / 1e9:.1f} GB."
    if free < MIN_FREE_BYTES:
        return problem(found, "Make room, or set KYARA_REPORT_FOLDER to another disk.")
    if free < quota:
        return warning(found, "Make room, or set KYARA_REPORT_QUOTA_BYTES lower.")
    return fine(found)


def check_instance(config: Mapping[str, Any]) -> Finding:
    """Is the secret key safe?"""
    if key := str(config["SECRET_KEY"]):
        if len(key) < MIN_KEY_CHARACTERS:
            return problem("KYARA_SECRET_KEY is too short.", "Set a longer one, or none: one is made.")
        return fine("The secret key comes from KYARA_SECRET_KEY.")
    path = Path(config["INSTANCE_FOLDER"]) / SECRET_FILE
    if not path.exists():
        return fine("There is no secret key yet; it is made when the first operator comes.")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return problem(f"Others may read {path}.", f"`chmod 600 {path}`.")
    return fine("The secret key can be read by its owner alone.")


def check_operators(config: Mapping[str, Any]) -> Finding:
    """Can accounts be read?"""
    if config["OPERATOR_DATABASE_URL"] or config.get("DATABASE_URL"):
        return fine("Accounts are in the database that a URL names; see `database`.")
    path = Path(config["INSTANCE_FOLDER"]) / DATABASE_FILE
    nobody = "There is no operator yet; `python -m kyara operator create NAME` makes one."
    return _check_sqlite(
        path, nobody, "Put a copy in its place, or remove it and make the accounts anew."
    )


def _check_sqlite(path: Path, absent: str, advice: str) -> Finding:
    """Have SQLite look over a file, without changing it."""
    if not path.exists():
        return fine(absent)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        return problem(f"{path} is damaged or cannot be read ({found}).", advice)
    return fine(f"{path} is whole.")
