"""Bundle the scripts of the visitors' page into one small file, static/built/page.js, with esbuild.

`kyara/web/ops/page_bundle.py` chooses it as long as the scripts are those that it was made of.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kyara.web.ops.page_bundle import (  # noqa: E402
    PAGE_BUNDLE,
    PAGE_SCRIPT,
    hash_scripts,
    join_hashes,
    mark_bundle,
)
from scripts.run_node_tool import run_tool  # noqa: E402


def bundle_page(static: Path = ROOT / "static") -> int:
    """Write the bundle, and beside it a map that leads a browser's debugger to the scripts.

    Returns:
        The exit status of esbuild, which says on standard error what is wrong.
    """
    mark = mark_bundle(join_hashes(static, hash_scripts(static)))
    return run_tool(
        "esbuild",
        str(static / PAGE_SCRIPT),
        *("--bundle", "--format=esm", "--minify", "--sourcemap", "--sources-content=false"),
        *("--log-level=warning", f"--banner:js={mark}"),
        f"--outfile={static / PAGE_BUNDLE}",
    )


if __name__ == "__main__":
    sys.exit(bundle_page())
