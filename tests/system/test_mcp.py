"""`kyara mcp` over standard input and output, asked by the official SDK's own client."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, run_kyara
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from PIL import Image
from running import run_async

from kyara.cli.mcp_tools import MAX_FILE_BYTES

EXAMPLE = ROOT / "static" / "vendor" / "example.png"
Call = tuple[str, dict[str, Any]]


def ask_server(bundle: Path, roots: list[Path], *calls: Call) -> list[Any]:
    """Start the server, call tools in turn, and return what each answers."""
    options = [part for root in roots for part in ("--root", str(root))]
    command = ["-m", "kyara", "mcp", "--model", str(bundle), *options]
    server = StdioServerParameters(command=sys.executable, args=command, cwd=ROOT)

    async def ask() -> list[Any]:
        async with Client(stdio_client(server)) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return run_async(ask)


@pytest.fixture
def folder(tiny_data: Path, tmp_path: Path) -> Path:
    """A root with a face, and beside it what must not be read."""
    root = tmp_path / "root"
    (root / "below").mkdir(parents=True)
    face = (tiny_data / "aka_ribbon" / "000.png").read_bytes()
    (root / "below" / "face.png").write_bytes(face)
    (root / "secret.txt").write_text("the secret")
    (tmp_path / "outside.png").write_bytes(face)
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "cut.png").write_bytes(face[: len(face) // 3])
    with (root / "huge.png").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    os.mkfifo(root / "pipe.png")
    return root


def test_the_tools_tell_what_they_take_and_what_may_be_read(tiny_bundle: Path, folder: Path):
    command = ["-m", "kyara", "mcp", "--model", str(tiny_bundle), "--root", str(folder)]
    server = StdioServerParameters(command=sys.executable, args=command, cwd=ROOT)

    async def ask() -> Any:
        async with Client(stdio_client(server)) as client:
            return (await client.list_tools()).tools, client.instructions

    tools, instructions = run_async(ask)
    assert [tool.name for tool in tools] == ["identify_picture", "find_character", "list_characters"]
    assert instructions == f"Who is this anime character? Pictures under {folder} may be read."
    for tool in tools:
        assert tool.annotations.read_only_hint and tool.output_schema
        assert tool.description and "\n  " not in tool.description


def test_a_picture_is_answered_by_path_and_as_base64(tiny_bundle: Path, folder: Path):
    face = folder / "below" / "face.png"
    sent = base64.b64encode(face.read_bytes()).decode()
    ways = [{"path": str(face)}, {"path": "below/face.png"}, {"data": sent}]
    ways.append({"data": f"data:image/png;base64,{sent[:40]}\n{sent[40:]}"})
    how = {"whole": True, "language": "ja", "top_k": 2}
    answers = ask_server(tiny_bundle, [folder], *[("identify_picture", {**way, **how}) for way in ways])
    said = [answer.structured_content for answer in answers]
    assert said == [said[0]] * 4
    assert (said[0]["width"], said[0]["height"]) == (96, 96)
    (only,) = said[0]["faces"]
    assert only["verdict"] in ("known", "probably", "unknown")
    assert len(only["answers"]) == 2
    assert (only["answers"][0]["label"], only["answers"][0]["name"]) == ("aka_ribbon", "赤リボン")


def test_faces_of_a_whole_picture_are_found_where_the_command_finds_them(tiny_bundle: Path):
    calls = [("identify_picture", {"path": str(EXAMPLE.resolve())})] * 2
    first, again = ask_server(tiny_bundle, [EXAMPLE.resolve().parent], *calls)
    done = run_kyara("identify", EXAMPLE, "--model", tiny_bundle, "--json")
    (image,) = json.loads(done.stdout)["images"]
    assert len(image["faces"]) >= 2
    assert first.structured_content["faces"] == again.structured_content["faces"] == image["faces"]


@pytest.mark.parametrize(
    "path",
    [
        "nobody.png",
        "below",
        "../outside.png",
        "link.png",
        "pipe.png",
        "/etc/passwd",
        "zero\0byte.png",
        "x" * 5000,
    ],
)
def test_what_is_no_file_under_a_root_is_refused_in_the_same_words(
    tiny_bundle: Path, folder: Path, path: str
):
    (answer,) = ask_server(tiny_bundle, [folder], ("identify_picture", {"path": path, "whole": True}))
    assert answer.is_error
    assert f"is no file that may be read here. Pictures under {folder} may" in answer.content[0].text


def test_bad_input_gets_a_sentence_and_the_server_goes_on(tiny_bundle: Path, folder: Path):
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("identify_picture", {}, "Give a path or data"),
        ("identify_picture", {"path": "below/face.png", "data": "eA=="}, "one of them"),
        ("identify_picture", {"path": "secret.txt"}, "not a picture"),
        ("identify_picture", {"path": "cut.png", "whole": True}, "damaged or cut short"),
        ("identify_picture", {"path": "huge.png"}, "at most 67,108,864"),
        ("identify_picture", {"data": "not base64!"}, "not base64"),
        ("identify_picture", {"data": base64.b64encode(b"no picture").decode()}, "not a picture"),
        ("identify_picture", {"path": "below/face.png", "top_k": 0}, "greater than or equal to 1"),
        ("identify_picture", {"path": "below/face.png", "language": "xx"}, "'en', 'zh' or 'ja'"),
        ("find_character", {}, "query"),
        ("list_characters", {"limit": 501}, "less than or equal to 500"),
    ]
    good: Call = ("identify_picture", {"path": "below/face.png", "whole": True})
    calls = [(name, arguments) for name, arguments, _ in bad]
    *answers, last = ask_server(tiny_bundle, [folder], *calls, good)
    for (_, arguments, words), answer in zip(bad, answers, strict=True):
        assert answer.is_error, arguments
        assert words in answer.content[0].text, arguments
        assert "the secret" not in answer.content[0].text
    assert last.structured_content["faces"]


def test_without_a_root_no_file_is_read(tiny_bundle: Path, folder: Path):
    (answer,) = ask_server(
        tiny_bundle, [], ("identify_picture", {"path": str(folder / "below" / "face.png")})
    )
    assert answer.is_error
    assert answer.content[0].text.endswith("No file may be read; send pictures as base64.")


def test_characters_are_found_and_listed_in_parts(tiny_bundle: Path):
    found, nobody, everybody, rest, work = ask_server(
        tiny_bundle,
        [],
        ("find_character", {"query": "赤リボン", "language": "ja"}),
        ("find_character", {"query": "Sherlock Holmes"}),
        ("list_characters", {}),
        ("list_characters", {"skip": 1, "limit": 2}),
        ("list_characters", {"work": "drawn four"}),
    )
    (first,) = found.structured_content["characters"]
    assert (first["label"], first["name"], first["work"]) == ("aka_ribbon", "赤リボン", "描かれた四人")
    assert first["names"]["zh"] == "红丝带"
    assert nobody.structured_content == {"total": 0, "characters": []}
    listed = everybody.structured_content
    assert listed["total"] == len(listed["characters"]) == 4
    part = rest.structured_content
    assert (part["total"], part["characters"]) == (4, listed["characters"][1:3])
    labels = [one["label"] for one in work.structured_content["characters"]]
    assert labels == ["aka_ribbon", "ao_glasses"]


def test_nothing_but_the_protocol_is_on_standard_output_and_its_end_ends_the_server(tiny_bundle: Path):
    done = run_kyara_with_input("", "mcp", "--model", str(tiny_bundle))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_no_model_and_no_such_root_are_told_at_once(tmp_path: Path):
    done = run_kyara("mcp", "--model", tmp_path, check=False)
    assert done.returncode == 1 and "no readable model" in done.stderr
    done = run_kyara("mcp", "--root", tmp_path / "nowhere", check=False)
    assert done.returncode == 2 and "does not exist" in done.stderr


def test_a_picture_file_is_not_changed(tiny_bundle: Path, folder: Path):
    face = folder / "below" / "face.png"
    before = face.read_bytes(), sorted(path.name for path in folder.rglob("*"))
    ask_server(tiny_bundle, [folder], ("identify_picture", {"path": str(face)}))
    assert (face.read_bytes(), sorted(path.name for path in folder.rglob("*"))) == before
    with Image.open(face) as image:
        image.verify()


def run_kyara_with_input(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kyara", *arguments]
    return subprocess.run(
        command, cwd=ROOT, input=text, capture_output=True, text=True, check=False, timeout=120
    )
