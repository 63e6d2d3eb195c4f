"""Files in one place: a local folder, or an object store that several machines share.

Reports and published bundles go through here and nowhere else, so they need not know where they lie.
A file is written whole or not at all and never overwritten. Modules: `place` (what both can do),
`folder` (a local folder that survives power loss), `objects` (anything behind an fsspec URL), and here
the one choice between the two. Apart from these: `bucket` reads what others have put into S3 buckets.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from kyara.storage.files.folder import FolderFiles
from kyara.storage.files.objects import ObjectFiles
from kyara.storage.files.place import Files, Listed

__all__ = ["Files", "FolderFiles", "Listed", "ObjectFiles", "open_files"]


def open_files(
    url: str, name: str, folder: Path, endpoint_url: str = "", *, deadline_s: float | None = None
) -> Files:
    """Return the place that a configuration names; nothing is opened yet.

    Args:
        url: `FILES_URL`: empty for the local folder, else an fsspec URL such as `s3://bucket/prefix`.
        name: of this kind of files below the URL, such as `user_report`.
        folder: where they are without a URL.
        endpoint_url: `FILES_ENDPOINT_URL`: of an S3 server that is not Amazon's.
        deadline_s: longest wait for one object, where the default is too short.

    Raises:
        BadInputError: such a URL cannot hold files safely, or its driver is not installed.
    """
    if not url:
        return FolderFiles(folder)
    if url.startswith("file://"):
        return FolderFiles(Path(unquote(urlsplit(url).path)) / name)
    return ObjectFiles(url, name, endpoint_url, deadline_s=deadline_s)
