"""Where bundles are: the model folder, and with `FILES_URL` also published copies and a local cache.

A published bundle lies at `model/<name>/<version>/`, where the version is the beginning of the SHA-256
of its manifest, which holds those of its other files. So it never changes, and a copy is good if and
only if it verifies.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from kyara.errors import BundleError
from kyara.recognition.bundle import MANIFEST_FILE, METRICS_FILE, Bundle, hash_file, load_bundle
from kyara.registry.gate import COMPARISON_FILE
from kyara.registry.history import Step
from kyara.storage.atomic import explain_os_error
from kyara.storage.files import Files

BESIDE = (METRICS_FILE, COMPARISON_FILE, "MODEL_CARD.md")
"""Files that come with a bundle and that no hash covers: for people, and for the gate."""
KEPT_VERSIONS = 4
"""So many stay in the cache: a rollback finds the ones before."""
_STALE_S = 3600
_VERSION = re.compile(r"[0-9a-f]{12}")

_log = logging.getLogger("kyara")


class BundleStore:
    """Bundles by name and version.

    Attributes:
        folder: the model folder: what was trained or shipped here.
    """

    def __init__(self, folder: Path, published: Files | None, cache: Path) -> None:
        """Take the places.

        Args:
            folder: the model folder.
            published: where all servers find what was promoted; None if they have the model folder.
            cache: for copies of what was published; made if need be.
        """
        self.folder = folder
        self._published = published
        self._cache = cache

    def find(self, step: Step) -> Path:
        """Return the folder of the bundle that a step made serve, fetching it if need be.

        Raises:
            BundleError: it is nowhere, or not what it was.
            StorageAwayError: the published one cannot be reached.
        """
        name = str(step["name"])
        if Path(name).name != name or not name:
            raise BundleError(f"A bundle is named by its folder under {self.folder}; received {name!r}.")
        local = self.folder / name
        if "version" not in step or self._is_version(local, step):
            return local
        if self._published is None:
            return local  # the loader says what is wrong with it
        return self._find_cached(step, self._published)

    def load(self, step: Step) -> Bundle:
        """Load and verify the bundle that a step made serve.

        Raises:
            BundleError: it is nowhere, damaged, or another one than it was.
        """
        folder = self.find(step)
        try:
            bundle = load_bundle(folder)
        except BundleError:
            if folder.parent == self.folder or self._published is None:
                raise
            _log.warning("The copy of %s in %s is damaged; it is fetched again.", step["name"], folder)
            shutil.rmtree(folder, ignore_errors=True)
            bundle = load_bundle(self._find_cached(step, self._published))
        if bundle.version != step.get("version", bundle.version):
            raise BundleError(
                f"{bundle.name} was replaced since it served (version {step['version']}, now "
                f"{bundle.version}); promote it by name if the new one is wanted."
            )
        return bundle

    def publish(self, bundle: Bundle) -> None:
        """Put a bundle where all servers find it; harmless if it is there. The manifest comes last.

        Raises:
            KyaraError: it cannot be published whole; then it must not be promoted.
        """
        if self._published is None:
            return
        folder = bundle.backbone.parent
        raw = (folder / MANIFEST_FILE).read_bytes()
        beside = [file for file in BESIDE if (folder / file).is_file()]
        for file in (*json.loads(raw)["files"], *beside, MANIFEST_FILE):
            data = raw if file == MANIFEST_FILE else (folder / file).read_bytes()
            _put(self._published, f"{bundle.name}/{bundle.version}/{file}", data)

    def _find_cached(self, step: Step, published: Files) -> Path:
        version = str(step["version"])
        if not _VERSION.fullmatch(version):
            raise BundleError(f"{step['name']} has the version {version!r}, which no bundle can have.")
        target = self._cache / version / str(step["name"])
        if not self._is_version(target, step):
            self._fetch(step, published, target)
        return target

    def _is_version(self, folder: Path, step: Step) -> bool:
        """Tell whether a folder holds the manifest of a step's bundle."""
        try:
            found = hash_file(folder / MANIFEST_FILE)
        except OSError:
            return False
        return found == step.get("sha256", found) and found.startswith(str(step["version"]))

    def _fetch(self, step: Step, published: Files, target: Path) -> None:
        """Copy a published bundle into the cache, where it appears whole and verified."""
        work = self._cache / f".{step['version']}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            (work / target.name).mkdir(parents=True)
            self._copy(step, published, work / target.name)
            load_bundle(work / target.name)
            target.parent.mkdir(exist_ok=True)
            if target.exists() and not self._is_version(target, step):
                shutil.rmtree(target)
            with suppress(FileExistsError):  # another process was faster
                os.rename(work / target.name, target)
        except FileNotFoundError as error:
            raise BundleError(
                f"{step['name']} (version {step['version']}) was never published whole; promote it "
                "again."
            ) from error
        except OSError as error:
            if self._is_version(target, step):  # another process was faster
                return
            raise explain_os_error(error, str(self._cache), "What served goes on serving.") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self._forget_old()

    def _copy(self, step: Step, published: Files, folder: Path) -> None:
        place = f"{step['name']}/{step['version']}"
        raw = published.read(f"{place}/{MANIFEST_FILE}")
        found = hashlib.sha256(raw).hexdigest()
        if found != step.get("sha256", found) or not found.startswith(str(step["version"])):
            raise BundleError(
                f"The published {step['name']} is not the one that was promoted: the SHA-256 of its "
                f"manifest is {found}, not {step.get('sha256') or step['version']}."
            )
        for file, sha256 in json.loads(raw)["files"].items():
            if Path(file).name != file:
                raise BundleError(f"The published {step['name']} lists {file!r} as one of its files.")
            data = published.read(f"{place}/{file}")
            if hashlib.sha256(data).hexdigest() != sha256:
                raise BundleError(
                    f"The published {place} is damaged: the SHA-256 of {file} is not the one in its "
                    f"{MANIFEST_FILE}."
                )
            (folder / file).write_bytes(data)
        for file in BESIDE:
            with suppress(FileNotFoundError):
                (folder / file).write_bytes(published.read(f"{place}/{file}"))
        (folder / MANIFEST_FILE).write_bytes(raw)

    def _forget_old(self) -> None:
        """Keep the newest versions of the cache, and nothing that a killed process left."""
        found = sorted(self._cache.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        versions = [path for path in found if _VERSION.fullmatch(path.name)]
        stale = [
            path
            for path in found
            if path.name.startswith(".") and time.time() - path.stat().st_mtime > _STALE_S
        ]
        for path in (*versions[KEPT_VERSIONS:], *stale):
            shutil.rmtree(path, ignore_errors=True)


def _put(published: Files, name: str, data: bytes) -> None:
    """Write a file, or the right content over a wrong one."""
    try:
        published.write(name, data)
    except FileExistsError:
        if published.read(name) != data:
            published.remove(name)
            published.write(name, data)
