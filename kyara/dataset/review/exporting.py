"""Reports as a folder or a zip: bare crops, and what was said and decided."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select

from kyara.dataset.review import steps
from kyara.dataset.review.reports.choosing import Choice
from kyara.dataset.review.reports.placement import describe_report, read_pixels
from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import REPORTS, ReportRow
from kyara.errors import BadInputError, KyaraError, StorageAwayError
from kyara.storage.atomic import explain_os_error, replace_file
from kyara.storage.database import explain_database_errors
from kyara.vision.images import encode_png

LIST_FILE = "reports.json"
CROP_FOLDER = "crops"


def describe_reports(store: ReportStore, choice: Choice) -> list[dict[str, Any]]:
    """Return what was said and decided of each report, oldest first; no note, token or sender."""
    with explain_database_errors(REPORTS), store.sessions() as session:
        query = (
            select(ReportRow).where(*choice.conditions()).order_by(ReportRow.created_at, ReportRow.id)
        )
        reports = [row.to_report() for row in session.scalars(query)]
        history = steps.read_history(session, [report.id for report in reports])
    return [describe_report(report, history[report.id]) for report in reports]


def export_to_folder(store: ReportStore, choice: Choice, folder: Path) -> int:
    """Write reports into a new folder: `reports.json` and `crops/<id>.png`.

    Returns:
        How many reports.

    Raises:
        BadInputError: the folder is there already and not empty.
        StorageAwayError: the pictures cannot be reached.
        StorageFullError: no room.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError(f"{folder} is there already: name a new or an empty folder.")
    entries = describe_reports(store, choice)
    try:
        (folder / CROP_FOLDER).mkdir(parents=True, exist_ok=True)
        for entry, png in _read_crops(store, entries):
            entry["file"] = f"{CROP_FOLDER}/{entry['id']}.png"
            replace_file(folder / entry["file"], png)
        replace_file(folder / LIST_FILE, _format(entries))
    except OSError as error:
        raise explain_os_error(error, str(folder), "The reports themselves are as they were.") from error
    return len(entries)


def export_to_zip(store: ReportStore, choice: Choice, out: IO[bytes]) -> int:
    """Write the same as `export_to_folder` as a zip.

    Returns:
        How many reports.
    """
    entries = describe_reports(store, choice)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for entry, png in _read_crops(store, entries):
            entry["file"] = f"{CROP_FOLDER}/{entry['id']}.png"
            archive.writestr(entry["file"], png)
        archive.writestr(LIST_FILE, _format(entries))
    return len(entries)


def _read_crops(
    store: ReportStore, entries: list[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield each entry with its picture; one whose picture is gone says so and has no file."""
    for entry in entries:
        entry["file"] = None
        try:
            yield entry, encode_png(read_pixels(store, store.get(entry["id"])))
        except StorageAwayError:
            raise
        except KyaraError as error:
            entry["problem"] = str(error)


def _format(entries: list[dict[str, Any]]) -> bytes:
    return (json.dumps({"reports": entries}, ensure_ascii=False, indent=1) + "\n").encode()
