"""What `identify` takes beside a file: standard input, addresses, folders, names of any bytes."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from command_line import ROOT
from PIL import Image
from videos import EXAMPLE, slide_example, write_video

from kyara.cli import fetching, identify, main
from kyara.cli.identify_sources import guess_suffix

REDIRECTS = {"/moved": "/face.png", "/loop": "/loop", "/to-a-file": "file:///etc/passwd"}


@pytest.fixture
def face(tiny_data: Path) -> Path:
    """A drawn face of `aka_ribbon`."""
    return tiny_data / "aka_ribbon" / "000.png"


@pytest.fixture
def ask(tiny_bundle: Path):
    """Run `identify` in this process, with the tiny model."""

    def run(*arguments: object, sent: bytes = b"") -> Result:
        words = ["identify", *map(str, arguments), "--model", str(tiny_bundle)]
        return CliRunner().invoke(main, words, input=sent, catch_exceptions=False)

    return run


def read_labels(done: Result) -> list[str]:
    """Return the first answer for each face."""
    images = json.loads(done.stdout)["images"]
    return [face["answers"][0]["label"] for image in images for face in image["faces"]]


class _Site(BaseHTTPRequestHandler):
    """Sends the drawn face, redirects, and what is none of both."""

    face = b""

    def do_GET(self) -> None:
        if target := REDIRECTS.get(self.path):
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
            return
        known = self.path.startswith("/face.png")
        body = self.face if known else b"nothing" if self.path == "/text" else b""
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(face: Path) -> Iterator[str]:
    """The address of a site that has the drawn face."""
    _Site.face = face.read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_dash_reads_a_picture_from_standard_input(ask, face):
    done = ask("-", "--whole", "--json", sent=face.read_bytes())
    assert done.exit_code == 0
    assert read_labels(done) == ["aka_ribbon"]
    assert [image["source"] for image in json.loads(done.stdout)["images"]] == ["-"]
    by_file = ask(face, "--whole", "--json")
    assert read_labels(by_file) == read_labels(done)


def test_a_dash_reads_an_animation_too(ask, tmp_path):
    clip = write_video(tmp_path / "clip.gif", slide_example(4), rate=5)
    done = ask("-", "--json", sent=clip.read_bytes())
    video = json.loads(done.stdout)["video"]
    assert (done.exit_code, video["source"], video["frames"]) == (0, "-", 4)


@pytest.mark.parametrize(
    ("sent", "words"), [(b"", "Standard input is empty"), (b"no picture", "not a picture")]
)
def test_what_is_no_picture_on_standard_input_is_told(ask, sent, words):
    done = ask("-", "--whole", "--json", sent=sent)
    assert (done.exit_code, json.loads(done.stdout)["images"]) == (1, [])
    assert done.stderr.startswith("kyara: -: ") and words in done.stderr


def test_a_broken_video_on_standard_input_is_told_as_such(ask):
    done = ask("-", sent=b"\0\0\0\x18ftypmp42" + bytes(200))
    assert done.exit_code == 1
    assert "standard input.mp4" in done.stderr


def test_standard_input_has_a_bound(ask, monkeypatch):
    monkeypatch.setattr("kyara.cli.identify_sources.MAX_FETCHED_BYTES", 100)
    done = ask("-", "--whole", sent=bytes(101))
    assert (done.exit_code, "more than 100 bytes" in done.stderr) == (1, True)


def test_an_address_is_fetched_where_that_is_asked(ask, site, face, tmp_path):
    out = tmp_path / "out"
    address = f"{site}/face.png?size=large"
    done = ask(f"{site}/moved", address, "--allow-urls", "--whole", "--json", "--annotate", out)
    assert done.exit_code == 0
    assert read_labels(done) == ["aka_ribbon"] * 2
    assert json.loads(done.stdout)["images"][1]["source"] == address
    assert sorted(path.name for path in out.iterdir()) == ["face.png", "moved.png"]


def test_copies_of_pictures_with_the_longest_names_are_written(ask, site, face, tmp_path):
    out, folders = tmp_path / "out", [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / f"{'名' * 83}x.png").write_bytes(face.read_bytes())
    address = f"{site}/face.png/{'x' * 300}"
    done = ask(*folders, address, "--allow-urls", "--whole", "--json", "--annotate", out)
    assert (done.exit_code, "kyara:" in done.stderr) == (0, False)
    names = ["名" * 66 + ending for ending in ("-2.png", ".png")]
    assert sorted(path.name for path in out.iterdir()) == ["x" * 200 + ".png", *names]


def test_a_disk_that_refuses_a_copy_is_a_sentence(ask, face, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("kyara.cli.identify_pictures.open_replacement", refuse)
    done = ask(face, "--whole", "--annotate", tmp_path / "out")
    assert done.exit_code == 1
    assert "is full" in done.stderr and "Traceback" not in done.stderr


def test_an_address_is_not_fetched_by_itself_and_the_rest_goes_on(ask, site, face):
    done = ask(f"{site}/face.png", face, "--whole", "--json")
    assert done.exit_code == 1
    assert f"kyara: {site}/face.png: " in done.stderr and "--allow-urls" in done.stderr
    assert read_labels(done) == ["aka_ribbon"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/missing", "404 Not Found"),
        ("/empty", "0 bytes"),
        ("/text", "not a picture"),
        ("/loop", "redirect"),
        ("/to-a-file", "not allowed"),
    ],
)
def test_an_address_that_gives_no_picture_is_told_in_one_line(ask, site, path, words):
    done = ask(f"{site}{path}", "--allow-urls", "--whole")
    assert done.exit_code == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("kyara: ")]
    assert len(lines) == 1 and words in lines[0]


def test_an_address_where_nobody_is_is_told(ask):
    done = ask("http://127.0.0.1:9/x.png", "--allow-urls", "--whole")
    assert (done.exit_code, "cannot be fetched" in done.stderr) == (1, True)


def test_what_is_fetched_has_a_bound_in_size_and_in_time(ask, site, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_FETCHED_BYTES", 100)
    assert "more than 100 bytes" in ask(f"{site}/face.png", "--allow-urls", "--whole").stderr
    monkeypatch.setattr(fetching, "MAX_FETCHED_BYTES", 10**6)
    monkeypatch.setattr(fetching, "MAX_FETCHING_S", -1.0)
    assert "takes longer" in ask(f"{site}/face.png", "--allow-urls", "--whole").stderr


def test_work_is_kept_for_files_alone(ask, tmp_path):
    done = ask("-", "--work", tmp_path / "work", sent=b"x")
    assert (done.exit_code, "--work is for files" in done.stderr) == (2, True)


@pytest.fixture
def moving(tmp_path: Path) -> dict[str, Path]:
    """One animation of each kind, of three faces that move."""
    frames = [Image.fromarray(pixels) for pixels in slide_example(4)]
    made = {"gif": write_video(tmp_path / "clip.gif", slide_example(4), rate=5)}
    for suffix, options in (("webp", {"quality": 90}), ("png", {}), ("avif", {"quality": 80})):
        made[suffix] = tmp_path / f"clip.{suffix}"
        options = {"save_all": True, "append_images": frames[1:], "duration": 200, **options}
        frames[0].save(made[suffix], **options)
    return made


@pytest.mark.parametrize("kind", ["webp", "png", "avif"])
def test_every_animation_is_followed_as_a_gif_is(ask, moving, kind):
    as_gif, video = (
        json.loads(ask(moving[one], "--json", "--level", "0").stdout)["video"] for one in ("gif", kind)
    )
    assert video["frames"] == as_gif["frames"] == 4
    assert video["duration_s"] == pytest.approx(as_gif["duration_s"], abs=0.05)
    assert len(video["tracks"]) == len(as_gif["tracks"]) > 0


def test_pictures_and_animations_are_taken_together(ask, moving, face):
    named = (face, moving["gif"], EXAMPLE, moving["webp"])
    document = json.loads(ask(*named, "--json").stdout)
    assert list(document) == ["model", "images", "videos"]
    assert [one["source"] for one in document["images"]] == [str(face), str(EXAMPLE)]
    assert [one["source"] for one in document["videos"]] == [str(moving["gif"]), str(moving["webp"])]
    alone = json.loads(ask(moving["gif"], "--json").stdout)["video"]
    assert document["videos"][0] == alone
    rows = list(csv.DictReader(io.StringIO(ask(*named, "--csv").stdout)))
    with_faces = {one["source"] for one in document["images"] if one["faces"]}
    assert str(EXAMPLE) in with_faces
    assert {row["source"] for row in rows if row["face"]} == with_faces
    assert {row["source"] for row in rows if row["track"]} == {str(moving["gif"]), str(moving["webp"])}
    assert all(row["label"] and row["confidence"] for row in rows)
    text = ask(*named).stdout
    assert str(face) in text and f"{moving['webp']}: " in text


@pytest.mark.parametrize("option", [("--annotate", "out"), ("--webvtt", "x.vtt")])
def test_what_is_drawn_or_written_is_of_one_kind(ask, moving, face, option):
    done = ask(face, moving["gif"], *option)
    assert (done.exit_code, "give pictures, or one video" in done.stderr) == (2, True)


def test_a_folder_gives_pictures_of_every_kind_and_names_what_it_leaves_out(ask, face, tmp_path):
    image = Image.open(face)
    for name in ("a.jfif", "b.jpe", "c.apng", "d.tif", "e.TIFF"):
        kind = {"a": "JPEG", "b": "JPEG", "c": "PNG", "d": "TIFF", "e": "TIFF"}[name[0]]
        image.save(tmp_path / name, kind)
    (tmp_path / "x.png").mkdir()
    (tmp_path / "._y.jpg").write_bytes(b"\0\5\x16\7")
    for name in ("f.mp4", "g.svg", "h.jxl", "i.psd", "notes.txt"):
        (tmp_path / name).write_bytes(b"anything")
    done = ask(tmp_path, "--whole", "--json")
    assert done.exit_code == 0
    assert read_labels(done) == ["aka_ribbon"] * 5
    lines = [line for line in done.stderr.splitlines() if line.startswith("kyara: ")]
    assert len(lines) == 1
    assert "f.mp4, g.svg, h.jxl and 1 more left out" in lines[0]


def test_an_animation_in_a_folder_counts_as_a_picture(ask, moving):
    folder = moving["gif"].parent
    document = json.loads(ask(folder, "--json").stdout)
    assert list(document) == ["model", "images"]
    assert [one["source"] for one in document["images"]] == sorted(map(str, moving.values()))
    assert all(one["faces"] for one in document["images"])
    named = json.loads(ask(folder, moving["webp"], "--json").stdout)
    assert [one["source"] for one in named["videos"]] == [str(moving["webp"])]
    assert named["images"] == document["images"]


@pytest.mark.parametrize("form", ["--json", "--csv", "--language=ja"])
def test_a_video_beside_an_address_where_nobody_is_is_answered_and_the_status_is_1(ask, moving, form):
    done = ask("--allow-urls", moving["gif"], "http://127.0.0.1:9/x.png", form)
    assert done.exit_code == 1
    assert "kyara: http://127.0.0.1:9/x.png: " in done.stderr and "cannot be fetched" in done.stderr
    assert moving["gif"].name in done.stdout


def test_a_heic_that_cannot_be_read_is_named_and_the_rest_goes_on(ask, face, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    (tmp_path / "b.png").write_bytes(face.read_bytes())
    done = ask(tmp_path, "--whole", "--json")
    assert (done.exit_code, read_labels(done)) == (1, ["aka_ribbon"])
    assert "a.heic: " in done.stderr and "requirements-heif.txt" in done.stderr


def test_a_picture_that_is_cut_short_is_answered_with_a_warning(ask, face, tmp_path):
    path = tmp_path / "cut.jpg"
    Image.open(face).save(path, quality=95)
    path.write_bytes(path.read_bytes()[:-300])
    done = ask(path, "--whole", "--json")
    assert (done.exit_code, read_labels(done)) == (0, ["aka_ribbon"])
    assert f"kyara: {path}: The picture is cut short" in done.stderr


def test_black_bars_do_not_change_the_answer(ask, tmp_path):
    pixels = np.asarray(Image.open(EXAMPLE).convert("RGB"))
    Image.fromarray(np.pad(pixels, ((200, 210), (30, 0), (0, 0)))).save(tmp_path / "bars.png")
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    documents = [json.loads(ask(tmp_path / name, "--json").stdout) for name in ("plain.png", "bars.png")]
    (plain,), (bars,) = (document["images"] for document in documents)
    assert (bars["width"], bars["height"]) == (plain["width"] + 30, plain["height"] + 410)
    assert len(plain["faces"]) >= 3
    for face in plain["faces"]:
        face["box"]["x"] += 30
        face["box"]["y"] += 200
    assert bars["faces"] == plain["faces"]


@pytest.mark.parametrize("kind", ["picture", "video", "subtitles"])
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    ask, moving, face, tmp_path, kind, monkeypatch
):
    def load(*_: object) -> None:
        raise AssertionError("The work has begun.")

    monkeypatch.setattr(identify, "ServingClassifier", load)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    below = tmp_path / "file" / "below"
    arguments = {
        "picture": (face, "--annotate", below),
        "video": (moving["gif"], "--annotate", below / "out.mp4"),
        "subtitles": (moving["gif"], "--webvtt", below / "out.vtt"),
    }
    done = ask(*arguments[kind])
    assert done.exit_code == 1
    assert "Nothing was done" in done.stderr and "Traceback" not in done.stderr


def run_with_encoding(encoding: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process whose terminal has an encoding."""
    return subprocess.run(
        [sys.executable, "-m", "kyara", *map(os.fsencode, map(str, arguments))],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_that_cannot_show_a_name_shows_question_marks(tiny_bundle, face, encoding):
    options = ("--model", tiny_bundle, "--whole", "--language", "ja", "--top-k", "1")
    done = run_with_encoding(encoding, "identify", face, *options)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert b"???" in done.stdout and done.stdout.decode(encoding)
    as_json = run_with_encoding(encoding, "identify", face, *options, "--json")
    (image,) = json.loads(as_json.stdout)["images"]
    assert image["faces"][0]["answers"][0]["name"] == "赤リボン"
    as_csv = run_with_encoding(encoding, "identify", face, *options, "--csv")
    assert (as_csv.returncode, b"Traceback" in as_csv.stderr) == (0, False)


@pytest.mark.parametrize("form", ["--json", "--csv", ""])
def test_a_name_that_is_no_utf8_stays_valid(tiny_bundle, face, tmp_path, form):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    path.write_bytes(face.read_bytes())
    broken = Path(os.fsdecode(os.fsencode(tmp_path) + b"/br\xff.png"))
    broken.write_bytes(b"no picture")
    for named in ((path, broken), (tmp_path,)):
        done = run_with_encoding(
            "utf-8", "identify", *named, "--model", tiny_bundle, "--whole", *form.split()
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
        assert "caf\\xe9.png" in done.stdout.decode() or form == "--json"
        assert "br\\xff.png: " in done.stderr.decode()
        if form == "--json":
            (image,) = json.loads(done.stdout.decode())["images"]
            assert image["source"].endswith("caf\\xe9.png")
            assert image["faces"][0]["answers"][0]["label"] == "aka_ribbon"


def test_a_table_for_excel_begins_with_a_byte_order_mark(tiny_bundle, face):
    options = ("identify", face, "--model", tiny_bundle, "--whole", "--language", "ja", "--csv")
    plain, marked = run_with_encoding("utf-8", *options), run_with_encoding("latin-1", *options, "--bom")
    assert marked.stdout == b"\xef\xbb\xbf" + plain.stdout
    assert "赤リボン" in plain.stdout.decode()


def test_the_byte_order_mark_is_for_tables(ask, face):
    assert "--bom is for --csv" in ask(face, "--bom").stderr


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b"\x89PNG\r\n\x1a\n", ".png"),
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"GIF89a", ".gif"),
        (b"RIFF\n\0\0\0WEBPVP8 ", ".webp"),
        (b"\0\0\0\x1cftypavis", ".avif"),
        (b"\0\0\0\x1cftypmif1", ".heic"),
        (b"\0\0\0\x20ftypisom", ".mp4"),
        (b"\x1aE\xdf\xa3", ".mkv"),
        (b"II*\0", ".tif"),
        (b"<html>", ""),
    ],
)
def test_what_comes_from_elsewhere_is_told_by_its_content(data, suffix):
    assert guess_suffix(data) == suffix
