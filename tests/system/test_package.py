"""The wheel, installed: without and with the extra `detect`, used from an empty folder."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT
from drawings import draw_face
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from videos import EXAMPLE

from kyara.storage import extras, paths
from kyara.web.ops.page_bundle import PAGE_BUNDLE

SOURCES = (
    *("kyara", "model", "static", "templates", "translations", "README.md", "gunicorn.conf.py"),
    *("setup.py", "pyproject.toml", "requirements-animeface.txt", "requirements-serve.txt"),
    *extras.EXTRAS.values(),
)
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
ONE_SENTENCE = (
    'kyara: This needs the package cv2, which is not installed: `pip install "kyara[detect]"` brings it.'
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, made from a copy: a build writes beside its sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / "copy" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / "copy" / name)
    command = [*PIP, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, folder / "copy"]
    subprocess.run(command, check=True)
    (found,) = folder.glob("*.whl")
    return found


class Installation:
    """An environment that has the wheel, and of other packages what the wheel asks for alone.

    These are links to the packages of the tests' own environment: pip finds them installed already, and
    without an index refuses a wheel that asks for one that is not there.
    """

    def __init__(self, folder: Path, wheel: Path, *names: str, extra: str = "") -> None:
        venv.create(folder / "venv", with_pip=False)
        self.bin = folder / "venv" / "bin"
        (self.packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
        linked = folder / "linked"
        linked.mkdir()
        for one in find_needed(*names):
            link_distribution(one, linked)
        (self.packages / "linked.pth").write_text(f"{linked}\n")
        pip = [*PIP, "--python", self.bin / "python", "install", "-q", "--no-index", f"{wheel}{extra}"]
        subprocess.run(pip, check=True)
        self.home = folder / "empty"
        self.home.mkdir()
        self.environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def list_shipped(self) -> dict[Path, int]:
        files = (path for path in (self.packages / "kyara").rglob("*") if path.is_file())
        return {path: path.stat().st_mtime_ns for path in files}


def find_needed(*names: str) -> list[Distribution]:
    """Return installed packages with everything that they need."""
    found: dict[str, Distribution] = {}
    waiting = [(name, "") for name in names]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        one = found.setdefault(name, distribution(name))
        for needed in map(Requirement, one.requires or ()):
            if not needed.marker or needed.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(needed.name), each) for each in ("", *needed.extras)]
    return list(found.values())


def link_distribution(one: Distribution, folder: Path) -> None:
    """Link a package's modules and its metadata into a folder."""
    for top in {file.parts[0] for file in one.files or ()} - {"..", "__pycache__"}:
        target = Path(str(one.locate_file(top)))
        if not (folder / top).exists():
            (folder / top).symlink_to(target)


def read_names(name: str) -> list[str]:
    """Return the names that a file of requirements pins."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line).name for line in lines if line and not line.startswith(("#", "-r"))]


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Without any extra."""
    folder = tmp_path_factory.mktemp("core")
    return Installation(folder, wheel, *read_names("requirements-serve.txt"))


@pytest.fixture
def face(core: Installation) -> Iterator[Path]:
    """A picture in the empty folder."""
    path = core.home / "face.png"
    draw_face(0, np.random.default_rng(7)).save(path)
    yield path
    path.unlink()


def test_without_the_extra_one_sentence_says_what_to_install(core, face):
    done = core.run("kyara", "identify", face.name)
    said = [line for line in done.stderr.splitlines() if not line.startswith("INFO: ")]  # LiteRT's
    assert (done.returncode, done.stdout, said) == (1, "", [ONE_SENTENCE])


def test_a_crop_is_answered_by_the_shipped_model_and_nothing_is_written(core, face):
    before = core.list_shipped()
    done = core.run("kyara", "identify", "--whole", "--json", face.name)
    assert done.returncode == 0, done.stderr
    serving = json.loads((ROOT / "model" / "registry.json").read_text())["serving"]
    assert json.loads(done.stdout)["model"]["name"] == serving
    code = "from kyara import Classifier; print(len(Classifier().labels))"
    done = core.run("python", "-c", code)
    assert int(done.stdout) > 1, done.stderr
    assert list(core.home.iterdir()) == [face]
    assert core.list_shipped() == before


def read(url: str, crop: Path | None = None) -> tuple[int, str, bytes]:
    """Ask a site, in Japanese: its answer's status, type and content."""
    body = None
    if crop is not None:
        encoded = base64.b64encode(crop.read_bytes()).decode()
        body = json.dumps({"crops": [f"data:image/png;base64,{encoded}"]}).encode()
    headers = {"Accept-Language": "ja", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
        return answer.status, answer.headers.get_content_type(), answer.read()


def test_serve_shows_pages_files_and_translations_and_writes_into_the_current_folder(core, face):
    before = core.list_shipped()
    process = subprocess.Popen(
        [core.bin / "kyara", "serve", "--port", "0"],
        cwd=core.home,
        env=core.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        listening = next(line for line in process.stderr if "Listening at" in line)
        url = listening.split("Listening at: ")[1].split()[0]
        page = read(f"{url}/")[2].decode()
        assert "このアニメキャラ" in page
        assert PAGE_BUNDLE in page
        for name in (PAGE_BUNDLE, "css/page.css", "vendor/opencv.wasm", "detector.json"):
            assert read(f"{url}/static/{name}")[0] == 200
        faces = json.loads(read(f"{url}/api/identify", face)[2])["faces"]
        assert len(faces[0]["answers"]) == 5
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()
    assert core.list_shipped() == before
    made = {path.name for path in core.home.iterdir()}
    assert {"model", "user_report"} <= made <= {"model", "user_report", "instance", "dataset", face.name}
    assert (core.home / "model" / "registry.json").is_file()
    shutil.rmtree(core.home / "model")


def test_with_the_extra_faces_are_found(wheel, tmp_path):
    names = [*read_names("requirements-serve.txt"), *read_names("requirements-detect.txt")]
    detect = Installation(tmp_path, wheel, *names, extra="[detect]")
    shutil.copyfile(EXAMPLE, detect.home / "picture.png")
    done = detect.run("kyara", "identify", "--json", "picture.png")
    assert done.returncode == 0, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    assert len(image["faces"]) >= 2


def test_every_extra_has_its_file_and_every_module_an_extra():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    for extra, name in extras.EXTRAS.items():
        assert (ROOT / name).is_file()
        assert f'"{extra}": "{name}"' in setup
    assert set(extras.MODULES.values()) == set(extras.EXTRAS)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("cv2", "requirements-detect.txt"),
        ("av.error", "requirements-detect.txt"),
        ("sklearn.cluster", "requirements.txt"),
        ("redis", "requirements-scale.txt"),
        ("ray", "requirements-bulk.txt"),
        ("watchfiles", "requirements-library.txt"),
        ("exiv2", "requirements-library.txt"),
        ("kyara.nothing", ""),
        ("json", ""),
    ],
)
def test_a_missing_module_is_told_with_the_file_of_its_extra(module, words):
    sentence = extras.explain_missing(ModuleNotFoundError(name=module))
    assert bool(sentence) == bool(words)
    assert words in sentence


def test_the_shipped_models_are_copied_once_and_what_is_there_stays(tmp_path, monkeypatch):
    shipped, own = tmp_path / "shipped", tmp_path / "home" / "model"
    (shipped / "first").mkdir(parents=True)
    (shipped / "first" / "bundle.json").write_text("{}")
    (shipped / "registry.json").write_text("1")
    monkeypatch.setattr(paths, "SHIPPED_MODELS", shipped)
    monkeypatch.setattr(paths, "OWN_MODELS", own)
    assert paths.find_owned(shipped) == own
    assert paths.find_owned(tmp_path) == tmp_path
    assert paths.own_models(tmp_path) == tmp_path
    assert not own.exists()
    assert paths.own_models(shipped) == own
    (own / "registry.json").write_text("2")
    assert paths.own_models(shipped) == own
    assert (own / "registry.json").read_text() == "2"
    assert (own / "first" / "bundle.json").is_file()
    assert sorted(path.name for path in own.iterdir()) == ["first", "registry.json"]
