"""Static files under addresses that change with their content, so that browsers keep them for good.

`url_for("static", filename="css/page.css")` gives `/static/<version>/css/page.css`. Files that
`scripts/compress_assets.py` has compressed leave as Brotli or gzip, whichever the browser takes. The
compressed copies are named after the hash of what they hold: one that is old is never sent, and a site
without any works, too. An address with another version, from a page of a moment ago or of another
server, gets the file of today, to be kept by nobody.

Werkzeug sends the files, inside Flask: a worker's script has to carry the site's security policy, too,
and each encoding has a strong ETag of its own.
"""

from __future__ import annotations

import mimetypes
import os
import re
from pathlib import Path
from typing import Any

from flask import Flask, request, send_file
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join
from werkzeug.wrappers import Response

from kyara.storage.paths import ROOT
from kyara.web.ops.page_bundle import (
    MODULES,
    PAGE_SCRIPT,
    choose_page_script,
    hash_content,
    hash_scripts,
    join_hashes,
)

STORE = ROOT / "build" / "assets"
ENDPOINTS = ("static", "bootstrap.static")
MAX_AGE_S = 365 * 24 * 3600
SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""Content coding → suffix of the compressed copy, the better first."""
_VERSION = re.compile(r"[0-9a-f]{12}")


class Assets:
    """What is known of the static files; every file is hashed once, and again when it changes."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._modules: dict[Path, tuple[str, dict[Path, str]]] = {}

    def find_version(self, folder: Path, name: str) -> str | None:
        """Return the version in a file's address; None if there is no such file."""
        path = folder / name
        try:
            content = hash_content(path)
        except OSError:
            return None
        if not name.startswith(MODULES):
            return content[:12]
        version, hashes = self._find_modules(folder)
        return version if hashes.get(path) == content else None

    def _find_modules(self, folder: Path) -> tuple[str, dict[Path, str]]:
        """Return the version of all scripts, as they were when first asked for, and their hashes."""
        if folder not in self._modules:
            hashes = hash_scripts(folder)
            self._modules[folder] = (join_hashes(folder, hashes), hashes)
        return self._modules[folder]

    def choose_page_script(self, folder: Path) -> str:
        """Return the path of the script that the visitors' page loads, in the static folder."""
        return choose_page_script(folder, self._find_modules(folder)[0])

    def send(self, folder: Path, name: str, version: str) -> Response:
        """Answer with a file, compressed if the browser takes it and a copy is there.

        Args:
            folder: the static folder.
            name: path of the file in it.
            version: of the address; empty if it had none.

        Raises:
            NotFound: there is no such file.
        """
        joined = safe_join(str(folder), name)
        if joined is None or not os.path.isfile(joined):
            raise NotFound
        content = hash_content(Path(joined))
        copies = {coding: self.store / (content + suffix) for coding, suffix in SUFFIXES.items()}
        copies = {coding: copy for coding, copy in copies.items() if copy.is_file()}
        coding = choose_coding(list(copies))
        response = send_file(
            copies[coding] if coding else joined,
            mimetype=mimetypes.guess_type(name)[0] or "application/octet-stream",
            etag=f"{content}-{coding}" if coding else content,
            conditional=True,
        )
        if coding:
            response.headers["Content-Encoding"] = coding
        if copies:
            response.vary.add("Accept-Encoding")
        if version and version == self.find_version(folder, name):
            response.headers["Cache-Control"] = f"public, max-age={MAX_AGE_S}, immutable"
        else:
            response.headers["Cache-Control"] = "no-cache"
        return response


def choose_coding(codings: list[str]) -> str | None:
    """Choose what the browser likes best of these; None if it takes the file as it is only."""
    accepted = request.accept_encodings
    return max(
        (coding for coding in codings if accepted.quality(coding) > 0),
        key=accepted.quality,
        default=None,
    )


def set_up_assets(app: Flask, store: Path = STORE) -> None:
    """Give static files their versions and serve them; in debug mode everything is as Flask has it."""
    app.jinja_env.globals["page_script"] = lambda: PAGE_SCRIPT
    if app.debug:
        return
    assets = Assets(store)
    folders = {
        endpoint: Path(scaffold.static_folder)
        for endpoint, scaffold in zip(ENDPOINTS, (app, app.blueprints["bootstrap"]), strict=True)
        if scaffold.static_folder
    }

    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint in folders and "filename" in values:
            version = assets.find_version(folders[endpoint], values["filename"])
            values["filename"] = "/".join(filter(None, (version, values["filename"])))

    def serve(filename: str) -> Response:
        first, _, rest = filename.partition("/")
        name, version = (rest, first) if _VERSION.fullmatch(first) else (filename, "")
        return assets.send(folders[request.endpoint or ""], name, version)

    app.jinja_env.globals["page_script"] = lambda: assets.choose_page_script(folders["static"])
    app.url_defaults(add_version)
    for endpoint in folders:
        app.view_functions[endpoint] = serve
