"""Is this installation sound? Each check looks at one thing, and says what is wrong and what to do.

Nothing is changed, and nothing is made but a file in the report folder that is removed at once. The
modules: `machine` (Python, packages, processor, ports), `data` (model, reports, operators, disks),
`services` (databases, file stores and Redis behind URLs), `finding` (what a check finds).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kyara.cli.checks import data, machine, services
from kyara.cli.checks.finding import Finding, problem

__all__ = ["CHECKS", "Finding", "examine"]

Check = Callable[[Mapping[str, Any]], Finding]

CHECKS: Mapping[str, Check] = {
    "settings": machine.check_settings,
    "python": machine.check_python,
    "packages": machine.check_packages,
    "processor": machine.check_processor,
    "browser libraries": machine.check_browser_libraries,
    "threads": machine.check_threads,
    "port": machine.check_port,
    "model": data.check_model,
    "answer": data.check_answer,
    "taught characters": data.check_taught,
    "gallery": data.check_gallery,
    "report folder": data.check_report_folder,
    "report database": data.check_report_database,
    "disk": data.check_disk,
    "instance folder": data.check_instance,
    "operators": data.check_operators,
    "database": services.check_database,
    "file store": services.check_files,
    "redis": services.check_redis,
}
"""What is examined, in order."""


def examine(config: Mapping[str, Any]) -> dict[str, Finding]:
    """Run every check.

    Returns:
        What each check found; a check that fails itself is a problem like others.
    """
    return {name: _run(check, config) for name, check in CHECKS.items()}


def _run(check: Check, config: Mapping[str, Any]) -> Finding:
    try:
        return check(config)
    except Exception as error:  # a doctor that dies helps nobody
        return problem(f"This could not be examined: {type(error).__name__}: {error}.", "See above.")
