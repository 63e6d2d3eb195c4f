"""Compress the static files once, in set-up: Brotli and gzip copies in build/assets/, named by content.

A file that has not changed is not compressed again; copies of files that are gone are removed.
`kyara/web/ops/assets.py` serves them.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brotli
import flask_bootstrap

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kyara.web.ops.assets import STORE, SUFFIXES  # noqa: E402
from kyara.web.ops.page_bundle import hash_content  # noqa: E402

COMPRESSIBLE = frozenset({".css", ".js", ".json", ".svg", ".wasm", ".xml"})
SMALLEST_BYTES = 600
BROTLI_QUALITY = 10
"""11 takes twice the time for 3% of OpenCV's WebAssembly, 9 a fifth of it and gives 10% more."""
GZIP_LEVEL = 9


def list_assets(static: Path = ROOT / "static") -> list[Path]:
    """Return the files that are worth compressing: our own, and the one of Bootstrap that is used."""
    bootstrap = Path(flask_bootstrap.__file__).parent / "static" / "bootstrap5"
    walk = os.walk(static, followlinks=True)  # static/vendor may be a link
    files = [Path(folder, name) for folder, _, names in walk for name in names]
    files.append(bootstrap / "css" / "bootstrap.min.css")
    return sorted(
        path
        for path in files
        if path.suffix in COMPRESSIBLE and path.is_file() and path.stat().st_size >= SMALLEST_BYTES
    )


def compress_assets(assets: list[Path], store: Path) -> int:
    """Make the copies that are missing, and remove those that nobody needs.

    Returns:
        How many copies were made.
    """
    store.mkdir(parents=True, exist_ok=True)
    ways: dict[str, Callable[[bytes], bytes]] = {
        SUFFIXES["br"]: lambda data: brotli.compress(data, quality=BROTLI_QUALITY, lgwin=24),
        SUFFIXES["gzip"]: lambda data: gzip.compress(data, GZIP_LEVEL, mtime=0),
    }
    wanted = {
        store / (hash_content(path) + suffix): (path, compress)
        for path in assets
        for suffix, compress in ways.items()
    }
    for old in set(store.iterdir()) - set(wanted):
        old.unlink(missing_ok=True)
    missing = [(copy, *source) for copy, source in wanted.items() if not copy.exists()]
    missing.sort(key=lambda entry: -entry[1].stat().st_size)  # the longest first
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(lambda entry: _write_copy(*entry), missing))
    return len(missing)


def _write_copy(copy: Path, source: Path, compress: Callable[[bytes], bytes]) -> None:
    scratch = copy.with_name(f".{copy.name}.{os.getpid()}")
    scratch.write_bytes(compress(source.read_bytes()))
    scratch.replace(copy)


def main() -> None:
    """Compress, and say how long it took if anything was to do."""
    started = time.perf_counter()
    made = compress_assets(list_assets(), STORE)
    if made:
        print(f"Compressed the static files: {made} copies in {time.perf_counter() - started:.1f} s.")


if __name__ == "__main__":
    main()
