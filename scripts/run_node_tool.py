"""Run a tool from node_modules (esbuild, tsc, pyright) with the machine's node or the environment's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run_tool(tool: str, *arguments: str) -> int:
    """Return the tool's exit status."""
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    return subprocess.run(
        [ROOT / "node_modules" / ".bin" / tool, *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(run_tool(*sys.argv[1:]))
