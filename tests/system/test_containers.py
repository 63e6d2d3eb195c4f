"""What containers are made of: checked as far as a machine without a container engine can."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import ROOT

from app import DEFAULTS

KUBERNETES = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
BIN = Path(sys.executable).parent
LAST_STAGE = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2].replace("\\\n", " ")


def read_yaml(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def find_object(kind: str) -> dict[str, Any]:
    (found,) = (read for read in map(read_yaml, KUBERNETES) if read["kind"] == kind)
    return found


def read_instruction(name: str) -> str:
    found = re.findall(rf"^{name} (.*)$", LAST_STAGE, re.MULTILINE)
    assert len(found) == 1, name
    return found[0]


def read_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(read_instruction("ENV")))


@pytest.mark.parametrize(
    "check",
    [
        ["hadolint", "Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        ["yamllint", "--strict", "-c", "deploy/yamllint.yaml", "compose.yaml", "deploy"],
        *(
            ["kubernetes-validate", "--strict", "-k", "1.33", str(path)]
            for path in KUBERNETES
            if path.name != "kustomization.yaml"
        ),
    ],
    ids=lambda check: f"{check[0]} {Path(check[-1]).name}",
)
def test_linters_and_schemas_find_nothing(check):
    done = subprocess.run(
        [BIN / check[0], *check[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_kustomization_names_every_manifest():
    (kustomization,) = (path for path in KUBERNETES if path.name == "kustomization.yaml")
    others = {path.name for path in KUBERNETES} - {kustomization.name}
    assert set(read_yaml(kustomization)["resources"]) == others


def test_every_setting_that_is_named_exists():
    server = read_yaml(ROOT / "compose.yaml")["services"]["server1"]
    named = {*read_environment(), *server["environment"], *find_object("ConfigMap")["data"]}
    ours = {name.removeprefix("KYARA_") for name in named if name.startswith("KYARA_")}
    assert ours
    assert ours <= set(DEFAULTS)


def test_probes_and_the_autoscaler_ask_for_what_there_is(app):
    routes = {str(rule) for rule in app.url_map.iter_rules()}
    (container,) = find_object("Deployment")["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in routes
    pods, _ = find_object("HorizontalPodAutoscaler")["spec"]["metrics"]
    monitoring = (ROOT / "kyara" / "web" / "ops" / "monitoring.py").read_text()
    assert f'"{pods["pods"]["metric"]["name"]}"' in monitoring


def test_compose_has_what_it_mounts_and_no_secret_of_its_own():
    text = (ROOT / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (ROOT / source).exists(), volume
    secrets = ("POSTGRES_PASSWORD", "POSTGRES_ROOT_PASSWORD", "MINIO_PASSWORD", "MINIO_ROOT_PASSWORD")
    for name in (*secrets, "KYARA_SECRET_KEY"):
        uses = re.findall(rf"\$\{{{name}[^}}]*\}}", text)
        assert uses
        assert set(uses) == {f"${{{name}:?set {name}}}"}


def test_in_compose_the_servers_may_do_everything_nowhere():
    services = read_yaml(ROOT / "compose.yaml")["services"]
    ours = services["server1"]["environment"]
    assert services["minio"]["environment"]["MINIO_ROOT_USER"] != ours["AWS_ACCESS_KEY_ID"]
    assert "ROOT" not in str(ours)
    assert "POSTGRES_USER" not in services["postgres"]["environment"]  # it is then called postgres
    assert "//kyara:" in ours["KYARA_DATABASE_URL"]
    assert "NOSUPERUSER" in (ROOT / "deploy" / "postgres.sh").read_text()
    allowed = json.loads((ROOT / "deploy" / "bucket.json").read_text())["Statement"]
    assert {one.split("/")[0] for each in allowed for one in each["Resource"]} == {"arn:aws:s3:::kyara"}


def test_nginx_in_compose_asks_the_three_servers(tmp_path):
    """The very command of the container makes its configuration from deploy/nginx.conf."""
    services = read_yaml(ROOT / "compose.yaml")["services"]
    command = services["nginx"]["entrypoint"][2].partition(" && ")[0]
    command = command.replace("/tmp/", f"{tmp_path}/").replace("/etc/kyara", str(ROOT / "deploy"))
    subprocess.run(["/bin/sh", "-c", command], check=True)
    upstreams = re.findall(r"^\s*server (\S+) max_fails", (tmp_path / "nginx.conf").read_text(), re.M)
    assert upstreams == [f"{name}:5000" for name in sorted(services) if name.startswith("server")]


@pytest.fixture
def container(tmp_path) -> Iterator[tuple[str, Path, subprocess.Popen]]:
    """The site by the image's start command: its address, its data folder, its process."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 10001, 10001)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = {**read_environment(), "HOST": "127.0.0.1", "PORT": port}
    prefix = Path(sys.prefix).resolve()
    environment["PATH"] = f"{prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    script = [
        ROOT / "tests" / "support" / "like_container.sh",
        ROOT,
        data,
        prefix,
        Path(sys.base_prefix).resolve(),
    ]
    command = [*map(str, script), *json.loads(read_instruction("CMD"))]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "bash", *command],
            env=environment,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}", data, process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()


def test_the_start_command_serves_without_root_from_a_read_only_root(container):
    url, data, process = container
    check = json.loads(re.findall(r"^HEALTHCHECK .*?CMD (.*)$", LAST_STAGE, re.MULTILINE)[0])
    port = url.rpartition(":")[2]
    healthy = [sys.executable, *check[1:]]
    while subprocess.run(healthy, env={"PORT": port}, capture_output=True, check=False).returncode:
        assert process.poll() is None, (data.parent / "log").read_text()
    with urllib.request.urlopen(f"{url}/readyz", timeout=20) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"{url}/healthz", timeout=20) as answer:
        assert json.load(answer)["status"] == "ok"
    written = [path for path in data.rglob("*") if path.is_file()]
    assert written
    assert {path.stat().st_uid for path in written} == {10001}
