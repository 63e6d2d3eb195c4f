"""One target under atheris, in a process of its own: `python -m fuzzing.child TARGET OPTIONS…`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

atheris: Any = importlib.import_module("atheris")

with atheris.instrument_imports(include=["kyara", "PIL", "numpy.lib"], enable_loader_override=False):
    from fuzzing.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough, or until something is wrong."""
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
