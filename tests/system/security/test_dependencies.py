"""What can be checked of dependencies and sources without a network; `make audit` asks the databases."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from command_line import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = sorted(ROOT.glob("requirements*.txt"))
SOURCES = [ROOT / "app.py", ROOT / "classification.py", *sorted((ROOT / "kyara").rglob("*.py"))]
SERVING = [
    path for path in SOURCES if {"web", "reports", "accounts"} & set(path.relative_to(ROOT).parts)
]
RUN_SQL = ("execute", "executemany", "executescript", "exec_driver_sql", "text")


def read_requirements(path: Path) -> list[Requirement]:
    """Return what a file of requirements asks for."""
    lines = (line.split(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_requirement_is_pinned_exactly(path: Path):
    for requirement in read_requirements(path):
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), str(requirement)


def test_what_is_installed_is_what_is_pinned():
    installed = {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}
    for path in REQUIREMENTS:
        if path.name == "requirements-animeface.txt":  # in an environment of its own
            continue
        for requirement in read_requirements(path):
            if requirement.marker is None or requirement.marker.evaluate():
                version = installed.get(canonicalize_name(requirement.name))
                assert version and requirement.specifier.contains(version), str(requirement)


def test_the_installed_packages_fit_together():
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_browser_library_has_a_checksum():
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    for name, package in lock["packages"].items():
        if name and "resolved" in package:
            assert package.get("integrity", "").startswith("sha512-"), name
            assert package["resolved"].startswith("https://registry.npmjs.org/"), name


def test_sql_is_built_of_constants_alone():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).split(".")[-1] not in RUN_SQL:
                continue
            for text in (each for each in node.args[:1] if isinstance(each, ast.JoinedStr)):
                if re.match(r"f.(PRAGMA|LOCK TABLE) ", ast.unparse(text)):  # these take no parameters
                    continue
                names = [part.id for part in ast.walk(text) if isinstance(part, ast.Name)]
                assert all(name.isupper() for name in names), f"{path}, line {text.lineno}: {names}"


def test_the_site_asks_no_other_server():
    for path in SERVING:
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"\b(urllib\.request|http\.client|import requests|aiohttp|httpx)\b", text
        ), path


def test_no_shell_and_no_eval():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "os.system", "os.popen"), f"{path}: {called}"
                assert not any(word.arg == "shell" for word in node.keywords), f"{path}: shell="


def test_no_template_turns_escaping_off():
    """`safe` is only for what the site itself made: styles, scripts and their hashes."""
    for path in [*(ROOT / "templates").rglob("*.html"), *(ROOT / "kyara").rglob("templates/*.html")]:
        for found in re.findall(r"\{\{([^}]*\|\s*safe[^}]*)\}\}", path.read_text(encoding="utf-8")):
            assert re.search(r"inline\(|style|report_js|'[^']*'\s*\|\s*safe", found), f"{path}: {found}"
        assert "autoescape false" not in path.read_text(encoding="utf-8")
