"""The machine: Python, packages, processor, what browsers load, threads and port."""

from __future__ import annotations

import importlib.metadata
import os
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kyara.cli.checks.finding import Finding, fine, problem, warning
from kyara.storage.paths import ROOT

REQUIREMENTS = ROOT / "requirements-serve.txt"
VENDOR = ROOT / "static" / "vendor"
BROWSER_FILES = ("opencv-glue.js", "opencv.wasm", "lbpcascade_animeface.xml", "cropper.esm.min.js")
THREADS_BESIDE_QUEUE = 28
"""Reports may hold 26 threads; two more answer pages."""
DEFAULT_THREADS = 72
_PIN = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)")


def check_python(config: Mapping[str, Any]) -> Finding:
    """Is this a Python that Kyara runs on?"""
    found = f"Python {sys.version.split()[0]}."
    if (3, 11) <= sys.version_info < (3, 14):
        return fine(found)
    return problem(found, "Kyara needs 3.11 to 3.13: `make clean`, then `make run PYTHON=python3.11`.")


def check_packages(config: Mapping[str, Any]) -> Finding:
    """Are the pinned packages here?"""
    pins = dict(_PIN.findall(REQUIREMENTS.read_text(encoding="utf-8")))
    missing, other = [], []
    for name, version in pins.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if installed != version:
            other.append(f"{name} {installed} instead of {version}")
    install = "`.venv/bin/pip install -r requirements-serve.txt` installs what was tested together."
    if missing:
        return problem(f"Not installed: {', '.join(missing)}.", install)
    if other:
        return warning(f"Of another version than tested: {', '.join(other)}.", install)
    return fine(f"All {len(pins)} pinned packages are installed.")


def check_processor(config: Mapping[str, Any]) -> Finding:
    """Is the processor quick at what the model does?"""
    cores = len(os.sched_getaffinity(0))
    flags = _read_flags()
    known = [name for name in ("avx2", "avx512_vnni", "avx_vnni", "asimddp") if name in flags]
    found = f"{cores} core{'s' * (cores > 1)}, {', '.join(known) or 'no known vector instructions'}."
    if flags and not known:
        return warning(found, "Answers take several times as long without AVX2: choose another machine.")
    return fine(found)


def _read_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {
        flag
        for line in lines
        if line.lower().startswith(("flags", "features"))
        for flag in line.partition(":")[2].split()
    }


def check_browser_libraries(config: Mapping[str, Any]) -> Finding:
    """Is there what the page loads?"""
    missing = [name for name in BROWSER_FILES if not (VENDOR / name).is_file()]
    if missing:
        return problem(
            f"Not in {VENDOR}: {', '.join(missing)}.",
            "`python scripts/install_browser_libraries.py` installs them; `make run` does it by itself.",
        )
    return fine("The browser libraries are installed.")


def check_threads(config: Mapping[str, Any]) -> Finding:
    """Are there enough threads for all who may wait, and some more?"""
    text = os.environ.get("THREADS", str(DEFAULT_THREADS))
    if not text.isdecimal() or int(text) < 1:
        return problem(f"THREADS is {text!r}.", "Set THREADS to a number, or leave it out.")
    needed = int(config["MAX_QUEUED"]) + THREADS_BESIDE_QUEUE
    found = f"{text} threads; with KYARA_MAX_QUEUED={config['MAX_QUEUED']} up to {needed} may be busy."
    if int(text) < needed:
        return warning(found, f"Set THREADS to {needed} or more, or KYARA_MAX_QUEUED lower.")
    return fine(found)


def check_port(config: Mapping[str, Any]) -> Finding:
    """May the site listen where it is to?"""
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "5000"
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        return problem(f"PORT is {port!r}.", "Set PORT to a number up to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), int(port)))
        except OSError as error:
            return warning(
                f"{host}:{port} cannot be listened at ({error.strerror}).",
                "Where the site runs already this is as it should be; else set HOST and PORT.",
            )
    return fine(f"{host}:{port} is free.")
