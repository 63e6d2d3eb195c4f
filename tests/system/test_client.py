"""`kyara.client` against a running site, and against what is no site, or not always."""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import ROOT
from PIL import Image
from running import run_async
from scripted_site import hold_port, serve_script
from sites import serve_in

from kyara.client import (
    AsyncClient,
    BadInputError,
    Box,
    Client,
    KyaraError,
    NoAnswerError,
    ProblemError,
    Retries,
)
from kyara.client.problems import read_retry_after
from kyara.client.retries import FIRST_WAIT_S, Attempts
from scripts.local_site import Server

EXAMPLE = ROOT / "static" / "vendor" / "example.png"
NEVER = Retries(attempts=1)


def ask_sync(url: str, method: str, *arguments: Any, retries: Retries | None = None, **more: Any) -> Any:
    with Client(url, retries=retries) as site:
        return getattr(site, method)(*arguments, **more)


def ask_async(
    url: str, method: str, *arguments: Any, retries: Retries | None = None, **more: Any
) -> Any:
    async def ask() -> Any:
        async with AsyncClient(url, retries=retries) as site:
            return await getattr(site, method)(*arguments, **more)

    return run_async(ask)


@pytest.fixture(params=[ask_sync, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Ask a site by one of the two clients."""
    return request.param


@pytest.fixture(scope="module")
def site(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running site with the tiny model."""
    with serve_in(tmp_path_factory.mktemp("site"), tiny_model_folder) as server:
        yield server


@pytest.fixture
def face(tiny_data: Path) -> Path:
    """A crop of somebody whom the tiny model knows."""
    return tiny_data / "aka_ribbon" / "000.png"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A file that is no picture."""
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return path


NOBODY = (200, {"Content-Type": "application/json"}, '{"characters": []}')


def read_raw(url: str, picture: Path) -> dict[str, Any]:
    """Return what the site answers of one picture, without the client."""
    sent = base64.b64encode(picture.read_bytes()).decode()
    body = json.dumps({"pictures": [f"data:image/png;base64,{sent}"]}).encode()
    request = urllib.request.Request(f"{url}/api/pictures", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["images"][0]


@pytest.mark.parametrize("form", ["path", "text", "bytes", "pillow"])
def test_a_picture_is_answered_as_the_site_answers_it(ask, site: Server, form: str):
    picture: Any = {"path": EXAMPLE, "text": str(EXAMPLE), "bytes": EXAMPLE.read_bytes()}.get(form)
    with Image.open(EXAMPLE) as image:
        found = ask(site.url, "identify", picture or image)
    raw = read_raw(site.url, EXAMPLE)
    assert (found.width, found.height) == (raw["width"], raw["height"])
    assert found.source == ("example.png" if form in ("path", "text") else "picture")
    assert len(found.faces) == len(raw["faces"]) >= 2
    for face, said in zip(found.faces, raw["faces"], strict=True):
        assert face.box.to_json() == said["box"]
        assert face.verdict == said["verdict"]
        assert [one.character.label for one in face.answers] == [one["label"] for one in said["answers"]]
        assert [one.confidence for one in face.answers] == [one["confidence"] for one in said["answers"]]
    assert found.in_words().startswith("1. ")
    assert len(found.in_words().splitlines()) == len(found.faces)


def test_options_are_kept_and_names_come_in_a_language(ask, site: Server, face: Path):
    found = ask(site.url, "identify", face, whole=True, language="ja", top_k=2)
    (only,) = found.faces
    assert len(only.answers) == 2
    assert only.box == Box(0, 0, 96, 96)
    assert (only.answers[0].character.label, only.answers[0].character.name) == (
        "aka_ribbon",
        "赤リボン",
    )
    assert only.answers[0].character.work == "描かれた四人"
    assert "赤リボン (描かれた四人)" in only.in_words()


def test_a_japanese_file_name_arrives(ask, site: Server, face: Path, tmp_path: Path):
    named = tmp_path / '赤 "リボン".png'
    named.write_bytes(face.read_bytes())
    found = ask(site.url, "identify_pictures", [named], whole=True).pictures[0]
    assert found.source in (named.name, named.name.replace('"', "%22"))


def test_a_file_name_and_words_that_are_no_utf8_are_sent_as_well_as_can_be(
    ask, site: Server, face: Path, tmp_path: Path
):
    named = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9.png"))
    named.write_bytes(face.read_bytes())
    assert ask(site.url, "identify", named, whole=True).source == "r?.png"
    for method, asked in (("identify", face), ("identify_crops", [face]), ("find_characters", "x")):
        with pytest.raises(ProblemError, match="language") as told:
            ask(site.url, method, asked, language="\ud800")
        assert 400 <= told.value.status < 500


def test_a_broken_picture_beside_others_has_its_error(ask, site: Server, face: Path, broken: Path):
    answers = ask(site.url, "identify_pictures", [broken, face], whole=True)
    bad, good = answers.pictures
    assert answers.model.name == "tiny"
    assert bad.faces == () and bad.error.status in (415, 422)
    assert bad.in_words() == bad.error.detail
    assert good.error is None and good.faces[0].answers[0].character.label == "aka_ribbon"


def test_what_the_site_refuses_is_told_in_its_words(ask, site: Server, broken: Path):
    with pytest.raises(ProblemError) as told:
        ask(site.url, "identify", broken)
    assert told.value.status in (415, 422)
    assert told.value.title in ("Broken image", "Unsupported image")
    assert "picture" in str(told.value) and told.value.request_id
    assert told.value.retry_after_s is None


def test_crops_are_answered_in_their_order(ask, site: Server, tiny_data: Path, broken: Path):
    crops = [tiny_data / name / "000.png" for name in ("ao_glasses", "aka_ribbon")]
    answers = ask(site.url, "identify_crops", [crops[0], broken, crops[1]], top_k=1)
    labels = [[one.character.label for one in face.answers] for face in answers.faces]
    assert labels == [["ao_glasses"], [], ["aka_ribbon"]]
    assert answers.faces[1].error and answers.faces[0].box is None


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("identify_crops", ([b"x"] * 33,), "32"),
        ("identify_pictures", ([b"x"] * 9,), "8"),
        ("identify_pictures", ([],), "no picture"),
        ("identify", (b"\x89PNG" + bytes(9 * 1024 * 1024),), "too large"),
        ("find_characters", ("x" * 101,), "query"),
        ("report", (b"no picture", "aka_ribbon"), "picture"),
    ],
)
def test_too_much_or_too_little_is_refused_by_the_site(ask, site: Server, method, arguments, words):
    with pytest.raises(ProblemError, match=words) as told:
        ask(site.url, method, *arguments)
    assert 400 <= told.value.status < 500


def test_characters_are_found(ask, site: Server):
    assert [one.label for one in ask(site.url, "find_characters", "赤リボン")] == ["aka_ribbon"]
    assert ask(site.url, "find_characters", "Ribbon", whole=True) == ()
    assert len(ask(site.url, "find_characters", "", limit=3)) == 3


def test_a_report_is_stored_once(ask, site: Server, face: Path, request: pytest.FixtureRequest):
    token = f"token-{request.node.callspec.id}-1"
    told = {"note": "it is blue", "predicted": "aka_ribbon", "confidence": 0.6, "box": Box(1, 2, 30, 40)}
    first = ask(site.url, "report", face, "ao_glasses", token=token, **told)
    again = ask(site.url, "report", face, "ao_glasses", token=token, **told)
    assert first == again
    assert first.status == "pending" and len(first.id) == 32


def test_who_asks_too_often_waits_and_is_answered(ask, tiny_model_folder: Path, report_dir: Path):
    limits: dict[str, Any] = {"RATE_LIMITS": "characters=1/3 second"}
    with Server(report_dir, model=tiny_model_folder, **limits) as server:
        with pytest.raises(ProblemError) as told:
            for _ in range(50):
                ask(server.url, "find_characters", "ribbon", retries=NEVER)
        assert (told.value.status, told.value.title) == (429, "Too many requests")
        assert told.value.retry_after_s is not None and told.value.retry_after_s >= 1
        for _ in range(2):  # the second one has to wait, whenever the first was answered
            assert ask(server.url, "find_characters", "ribbon")[0].label == "aka_ribbon"


def test_nobody_waits_longer_than_the_bound(ask, tiny_model_folder: Path, report_dir: Path):
    limits: dict[str, Any] = {"RATE_LIMITS": "characters=1/hour"}
    with Server(report_dir, model=tiny_model_folder, **limits) as server:
        ask(server.url, "find_characters", "ribbon")
        with pytest.raises(ProblemError, match="minute") as told:
            ask(server.url, "find_characters", "ribbon")
        assert told.value.retry_after_s is not None and told.value.retry_after_s > Retries().total_s


def test_a_site_without_a_model_is_asked_again_and_then_told(ask, report_dir: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with Server(report_dir, model=tmp_path / "empty") as server:
        with pytest.raises(ProblemError) as told:
            ask(server.url, "find_characters", "ribbon", retries=Retries(attempts=2))
    assert told.value.status == 503


def test_a_site_that_starts_meanwhile_is_found(ask, monkeypatch: pytest.MonkeyPatch):
    failed = threading.Event()
    weigh = Attempts.weigh_failure

    def notice(attempts: Attempts, error: httpx.RequestError) -> float:
        failed.set()
        return weigh(attempts, error)

    monkeypatch.setattr(Attempts, "weigh_failure", notice)
    found: list[Any] = []
    with hold_port() as (port, url):
        thread = threading.Thread(target=lambda: found.append(ask(url, "find_characters", "ribbon")))
        thread.start()
        assert failed.wait(60)
        with serve_script(NOBODY, port=port) as (_, asked):
            thread.join()
    assert (found, len(asked)) == ([()], 1)


def test_a_connection_that_is_not_made_in_time_is_tried_again_and_an_answer_is_not():
    request = httpx.Request("GET", "http://127.0.0.1/")
    attempts = Attempts(Retries())
    wait_s = attempts.weigh_failure(httpx.ConnectTimeout("timed out", request=request))
    assert FIRST_WAIT_S <= wait_s <= 2 * FIRST_WAIT_S
    with pytest.raises(NoAnswerError, match="timed out"):
        attempts.weigh_failure(httpx.ReadTimeout("timed out", request=request))


@pytest.mark.parametrize("answer", [(200, {}, "<h1>Welcome</h1>"), (308, {"Location": "/"}, ""), None])
def test_a_password_in_the_address_is_sent_and_never_told(ask, answer, caplog):
    caplog.set_level(logging.DEBUG)
    sent: list[str | None] = []
    with serve_script(answer, credentials=sent) as (url, _):
        with pytest.raises(NoAnswerError) as told:
            site = url.replace("//", "//rin:se%63ret@")
            ask(site, "find_characters", "x", retries=NEVER)
    assert sent == [f"Basic {base64.b64encode(b'rin:secret').decode()}"]
    assert f"{url}/api/characters" in str(told.value)
    for words in (str(told.value), *(record.getMessage() for record in caplog.records)):
        assert not {word for word in ("rin", "secret", "se%63ret") if word in words}


def test_a_site_that_is_gone_gives_no_answer(ask, tiny_model_folder: Path, report_dir: Path):
    with Server(report_dir, model=tiny_model_folder) as server:
        assert ask(server.url, "find_characters", "ribbon")
    with pytest.raises(NoAnswerError, match=f"{server.url}/api/characters.* gives no answer"):
        ask(server.url, "find_characters", "ribbon", retries=Retries(attempts=2))


def say_busy(retry_after: str) -> tuple[int, dict[str, str], str]:
    problem = {"type": "about:blank", "title": "Busy", "status": 503, "detail": "Many ask at once."}
    headers = {"Content-Type": "application/problem+json", "Retry-After": retry_after}
    return 503, headers, json.dumps(problem)


@pytest.mark.parametrize(
    "first",
    [
        say_busy("1"),
        say_busy(format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)),
        (429, {}, ""),
        None,
    ],
    ids=["seconds", "a date", "not told", "no answer"],
)
def test_the_question_is_asked_once_more(ask, first):
    with serve_script(first, NOBODY) as (url, asked):
        assert ask(url, "find_characters", "x") == ()
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("answer", "attempts", "error", "words"),
    [
        (say_busy("0"), 3, ProblemError, "Many ask at once"),
        (say_busy("3600"), 1, ProblemError, "Many ask at once"),
        ((502, {}, "<h1>Bad gateway</h1>"), 1, ProblemError, "502"),
        ((400, {}, "[]"), 1, ProblemError, "400"),
        ((308, {"Location": "/"}, ""), 1, NoAnswerError, "308"),
        ((200, {}, "<h1>Welcome</h1>"), 1, NoAnswerError, "as a Kyara site does"),
        ((200, {}, '{"characters": [{"label": 1}]}'), 1, NoAnswerError, "as a Kyara site does"),
        ((200, {}, "[]"), 1, NoAnswerError, "as a Kyara site does"),
        ((200, {}, "[" * 100_000), 1, NoAnswerError, "as a Kyara site does"),
        ((403, {}, "[" * 100_000), 1, ProblemError, "answers 403 and does not say why"),
        (None, 3, NoAnswerError, "gives no answer"),
    ],
)
def test_what_cannot_be_had_is_told_after_a_bound(ask, answer, attempts: int, error, words: str):
    with serve_script(answer) as (url, asked):
        with pytest.raises(error, match=words):
            ask(url, "find_characters", "x", retries=Retries(attempts=3, total_s=30))
    assert len(asked) == attempts


MODEL = {"name": "tiny", "version": "1"}


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("identify", {"images": []}),
        ("identify_crops", {"faces": []}),
    ],
)
def test_a_site_that_answers_fewer_pictures_than_were_sent_is_none(ask, face: Path, method, body):
    said = json.dumps({**body, "model": MODEL, "took_ms": 1.0})
    with serve_script((200, {}, said)) as (url, _):
        with pytest.raises(NoAnswerError, match="as a Kyara site does"):
            ask(url, method, face if method == "identify" else [face])


def test_a_site_below_a_path_is_asked_there(ask):
    with serve_script(NOBODY) as (url, asked):
        ask(f"{url}/kyara/", "find_characters", "x")
    assert asked[0].startswith("/kyara/api/characters?query=x")


@pytest.mark.parametrize("url", ["", "kyara.example", "ftp://kyara.example", "http://", "http://[::1"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_address_that_is_none_is_refused(kind, url: str):
    with pytest.raises(BadInputError, match="no address"):
        kind(url)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("nowhere.png", "Cannot read nowhere.png: No such file"),
        (ROOT, "Is a directory"),
        ("zero\0byte.png", "Cannot read"),
        (17, "received int"),
        (None, "received NoneType"),
    ],
)
def test_what_cannot_be_read_here_is_never_sent(ask, picture: Any, words: str):
    with serve_script(NOBODY) as (url, asked):
        for method in ("identify", "identify_crops"):
            with pytest.raises(BadInputError, match=words):
                ask(url, method, picture if method == "identify" else [picture])
        with pytest.raises(BadInputError, match=words):
            ask(url, "report", picture, "aka_ribbon")
    assert asked == []


@pytest.mark.parametrize("bad", [{"attempts": 0}, {"total_s": -1}, {"total_s": float("nan")}])
def test_bounds_that_make_no_sense_are_refused(bad):
    with pytest.raises(BadInputError, match="1 attempt"):
        Retries(**bad)


LATE = "Wed, 01 Jan 99999999999999999999 00:00:00 GMT"


def test_retry_after_is_read_in_both_forms():
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    waited = read_retry_after(soon)
    assert waited is not None and 3000 < waited <= 3600
    assert read_retry_after("7") == 7
    assert read_retry_after("Wed, 01 Jan 2020 00:00:00 GMT") == 0
    assert [read_retry_after(text) for text in ("", "soon", "-1", "²", LATE)] == [None] * 5


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_client_loads_neither_the_site_nor_the_model():
    others = {"flask", "numpy", "PIL", "sqlalchemy", "pydantic", "kyara.storage", "kyara.web"}
    done = run_python(f"import sys, kyara.client; print(*({others!r} & set(sys.modules)))")
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_without_httpx_one_sentence_says_what_to_install():
    done = run_python("import sys; sys.modules['httpx'] = None; import kyara.client")
    assert done.returncode == 1
    assert done.stderr.strip().endswith('`pip install "kyara[client]"` brings it.')


def test_the_example_of_the_documentation_runs(site: Server, tmp_path: Path):
    page = (ROOT / "docs" / "programs.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0].replace("http://127.0.0.1:5000", site.url)
    shutil.copyfile(EXAMPLE, tmp_path / "screenshot.png")
    done = run_python(f"import os; os.chdir({str(tmp_path)!r})\n{code}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Box(x=")
    assert "2. " in done.stdout


def test_every_error_is_one_that_kyara_raises():
    assert all(issubclass(each, KyaraError) for each in (ProblemError, NoAnswerError, BadInputError))
