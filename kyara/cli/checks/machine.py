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
from kyara.storage.paths import IS_INSTALLED, ROOT
from kyara.web.serving.server_settings import ServerSettings
from kyara.web.settings import Settings

REQUIREMENTS = ROOT / "requirements-serve.txt"
VENDOR = ROOT / "static" / "vendor"
BROWSER_FILES = ("opencv-glue.js", "opencv.wasm", "lbpcascade_animeface.xml", "cropper.esm.min.js")
THREADS_BESIDE_QUEUE = 28
"""Reports may hold 26 threads; two more answer pages."""
_PIN = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)")


def check_settings(config: Mapping[str, Any]) -> Finding:
    """Does every environment variable make sense?"""
    wrong = {**ServerSettings.find_problems(), **Settings.find_problems()}
    if wrong:
        return problem(" ".join(wrong.values()), "Set it to something else, or leave it out.")
    return fine("Every variable makes sense.")


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
    pip, pinned = ("pip", REQUIREMENTS) if IS_INSTALLED else (".venv/bin/pip", REQUIREMENTS.name)
    install = f"`{pip} install -r {pinned}` installs what was tested together."
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
            "`python scripts/install_browser_libraries.py` installs them; `make run` and the build of a "
            "wheel do it by themselves.",
        )
    return fine("The browser libraries are installed.")


def check_threads(config: Mapping[str, Any]) -> Finding:
    """Are there enough threads for all who may wait, and some more?"""
    if wrong := ServerSettings.find_problems().get("threads"):
        return problem(wrong, "Set THREADS to a number, or leave it out.")
    threads = ServerSettings.read_sound().threads
    needed = int(config["MAX_QUEUED"]) + THREADS_BESIDE_QUEUE
    queued = config["MAX_QUEUED"]
    found = f"{threads} threads; with KYARA_MAX_QUEUED={queued} up to {needed} may be busy."
    if threads < needed:
        return warning(found, f"Set THREADS to {needed} or more, or KYARA_MAX_QUEUED lower.")
    return fine(found)


def check_port(config: Mapping[str, Any]) -> Finding:
    """May the site listen where it is to?"""
    if wrong := ServerSettings.find_problems().get("port"):
        return problem(wrong, "Set PORT to a number up to 65535, or leave it out.")
    settings = ServerSettings.read_sound()
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), port))
        except OSError as error:
            return warning(
                f"{host}:{port} cannot be listened at ({error.strerror}).",
                "Where the site runs already this is as it should be; else set HOST and PORT.",
            )
    return fine(f"{host}:{port} is free.")
