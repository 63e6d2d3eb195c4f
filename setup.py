"""How the wheel is made; everything else about the package is in pyproject.toml.

The site's files stay at the top level of the repository and come into the wheel below `kyara/_data/`,
where `kyara/storage/paths.py` finds them. Requirements stay in the `requirements*.txt`, the one list of
pins. A wheel has the browser libraries, too: if static/vendor/ has none, npm installs them in the build.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CORE = "requirements-serve.txt"
EXTRAS = {
    "detect": "requirements-detect.txt",
    "heif": "requirements-heif.txt",
    "train": "requirements.txt",
    "scale": "requirements-scale.txt",
    "bulk": "requirements-bulk.txt",
    "library": "requirements-library.txt",
    "client": "requirements-client.txt",
    "mcp": "requirements-mcp.txt",
}
FOLDERS = ("model", "static", "templates", "translations", "build/assets")
"""`build/assets` has compressed copies of static files; a site without them works."""
FILES = ("gunicorn.conf.py", CORE, "requirements-animeface.txt")
NOT_SHIPPED = shutil.ignore_patterns("taught.db*", ".*", "*.po", "*.partial", "__pycache__")
LAST_BROWSER_FILE = ROOT / "static" / "vendor" / "opencv-glue.js"
"""Of scripts/install_browser_libraries.py: where it is there, all are."""


def read_requirements(name: str) -> list[str]:
    """Return the lines of a file and of those that it includes, without the core's."""
    found: list[str] = []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        line = line.split(" #")[0].strip()
        if line.startswith("-r "):
            included = line.removeprefix("-r ").strip()
            found += read_requirements(included) if included != CORE else []
        elif line and not line.startswith("#"):
            found.append(line)
    return found


def list_build_requirements() -> list[str]:
    """Return what the build needs beside setuptools: nothing, where the browser libraries are here."""
    if LAST_BROWSER_FILE.is_file():
        return []
    script = (ROOT / "scripts" / "install_browser_libraries.py").read_text(encoding="utf-8")
    npm = re.findall(r'^NODE_PACKAGE = "(.+)"$', script, re.MULTILINE)
    needed = [line for line in read_requirements(CORE) if line.startswith(("numpy==", "pillow=="))]
    return needed if shutil.which("npm") else needed + npm


class BuildWithData(build_py):
    """Copies the modules, then what ships beside them."""

    def run(self) -> None:
        """Build; an editable installation finds everything in its checkout."""
        if self.editable_mode:
            super().run()
            return
        package = Path(self.build_lib) / "kyara"
        shutil.rmtree(package, ignore_errors=True)  # files of an earlier build would be shipped, too
        super().run()
        if not LAST_BROWSER_FILE.is_file():
            for script in ("install_browser_libraries.py", "bundle_page.py"):
                subprocess.run([sys.executable, str(ROOT / "scripts" / script)], check=True)
        for name in FOLDERS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, package / "_data" / name, ignore=NOT_SHIPPED)
        for name in FILES:
            shutil.copyfile(ROOT / name, package / "_data" / name)


setup(
    cmdclass={"build_py": BuildWithData},
    install_requires=read_requirements(CORE),
    extras_require={extra: read_requirements(name) for extra, name in EXTRAS.items()},
    setup_requires=list_build_requirements(),
)
