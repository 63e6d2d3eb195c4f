"""Where the installation is: the folder that holds `kyara/`, `static/`, `templates/` and `model/`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTANCE_FOLDER = ROOT / "instance"
"""Where what belongs to this installation is kept by default: accounts, keys, caches."""
