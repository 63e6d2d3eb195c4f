"""The bots in examples/, as processes, between a real site and a platform on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chat_platforms import TOKEN, VISITOR, Discord, Telegram
from command_line import ROOT
from scripted_site import hold_port, serve_script

from kyara.client import Client
from scripts.local_site import Server

EXAMPLE = (ROOT / "static" / "vendor" / "example.png").read_bytes()
TELEGRAM = [str(ROOT / "examples" / "telegram_bot.py")]
# The library knows one platform: this is all that is changed of the bot.
DISCORD = [
    "-c",
    "import runpy, sys, yarl, discord.gateway, discord.http\n"
    "discord.http.Route.BASE = sys.argv[1] + '/api'\n"
    "gateway = yarl.URL(sys.argv[1].replace('http', 'ws') + '/gateway/')\n"
    "discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway\n"
    f"runpy.run_path({str(ROOT / 'examples' / 'discord_bot.py')!r}, run_name='__main__')",
]
TOO_LARGE = 8 * 1024 * 1024


@pytest.fixture(scope="module")
def site(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running site with the tiny model."""
    with Server(tmp_path_factory.mktemp("site") / "reports", model=tiny_model_folder) as server:
        yield server


@pytest.fixture(scope="module")
def expected(site: Server) -> str:
    """What is to be said of the example: several faces, a line each."""
    with Client(site.url) as client:
        words = client.identify(EXAMPLE).in_words()
    assert len(words.splitlines()) >= 2
    return words


def start(command: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def run_bot(command: list[str], **environment: str) -> Iterator[None]:
    """Run a bot; at the end it has to stop as asked, and to have kept its token to itself."""
    process = start(command, **environment)
    try:
        yield
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert TOKEN not in said and "secret" not in said
        assert "Traceback" not in said
    finally:
        process.kill()
        process.communicate()


def read_last_words(command: list[str], **environment: str) -> tuple[int, str]:
    """Run a bot that ends by itself; returns its status and the last line that it writes."""
    process = start(command, **environment)
    try:
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, said.splitlines()[-1]


@pytest.fixture(scope="module")
def telegram(site: Server) -> Iterator[Telegram]:
    """Telegram, with the bot at work."""
    with Telegram() as platform:
        settings = {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_API": platform.url, "KYARA_URL": site.url}
        with run_bot(TELEGRAM, **settings):
            yield platform


@pytest.fixture(scope="module")
def discord(site: Server) -> Iterator[Discord]:
    """Discord, with the bot at work."""
    with Discord() as platform:
        with run_bot([*DISCORD, platform.url], DISCORD_TOKEN=TOKEN, KYARA_URL=site.url):
            yield platform


def test_telegram_a_photograph_is_answered_in_its_largest_size(telegram: Telegram, expected: str):
    number = telegram.send_photo("large.png", EXAMPLE)
    said = telegram.wait_for_answer()
    assert (said["text"], said["chat_id"]) == (expected, str(VISITOR))
    assert f'"message_id":{number}' in said["reply_parameters"].replace(" ", "")
    assert telegram.fetched == ["large.png"]


def test_telegram_a_picture_that_comes_as_a_file_is_answered(telegram: Telegram, tiny_data: Path):
    face = (tiny_data / "aka_ribbon" / "000.png").read_bytes()
    telegram.send_file("face.png", face, kind="image/png", size_bytes=len(face))
    said = telegram.wait_for_answer()["text"]
    assert "Aka Ribbon" in said or said in ("Not someone I know", "I see no face in this picture.")


def test_telegram_what_is_too_large_is_not_even_fetched(telegram: Telegram):
    telegram.send_file("huge.png", b"", kind="image/png", size_bytes=TOO_LARGE)
    assert "up to 8 MB" in telegram.wait_for_answer()["text"]
    assert "huge.png" not in telegram.fetched


def test_telegram_the_sites_sentence_is_passed_on(telegram: Telegram):
    telegram.send_file("no.png", b"no picture", kind="image/png", size_bytes=10)
    assert "picture" in telegram.wait_for_answer()["text"]
    telegram.send(document={"file_id": "lost", "file_unique_id": "lost", "mime_type": "image/png"})
    assert telegram.wait_for_answer()["text"] == "I cannot fetch that picture. Please send it again."


def test_telegram_start_is_greeted_and_talk_is_not_answered(telegram: Telegram, expected: str):
    telegram.send(text="Hello")
    telegram.send_file("report.pdf", b"%PDF", kind="application/pdf", size_bytes=4)
    command = {"type": "bot_command", "offset": 0, "length": 6}
    telegram.send(text="/start", entities=[command])
    telegram.send_photo("last.png", EXAMPLE)
    said = {telegram.wait_for_answer()["text"] for _ in range(2)}
    assert any(words.startswith("Send me a picture") for words in said - {expected})
    assert expected in said
    assert not telegram.has_answers


def test_telegram_more_than_a_message_holds_is_cut():
    problem = json.dumps({"status": 400, "detail": "x" * 5000})
    with serve_script((400, {}, problem)) as (url, _), Telegram() as platform:
        settings = {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_API": platform.url, "KYARA_URL": url}
        with run_bot(TELEGRAM, **settings):
            platform.send_photo("one.png", EXAMPLE)
            assert platform.wait_for_answer()["text"] == "x" * 4096


def test_discord_a_picture_that_is_sent_to_the_bot_alone_is_answered(discord: Discord, expected: str):
    number = discord.send(discord.attach("one.png", EXAMPLE))
    said = discord.wait_for_answer()
    assert said["content"].replace("\\", "") == expected
    assert said["message_reference"]["message_id"] == number


def test_discord_in_a_channel_it_answers_who_mentions_it(discord: Discord, expected: str):
    talk: dict[str, Any] = {"guild_id": str(discord.guild), "channel_id": str(discord.channel + 1)}
    discord.send(discord.attach("not-for-it.png", EXAMPLE), **talk)
    discord.send(discord.attach("everybody.png", EXAMPLE), mention_everyone=True, **talk)
    number = discord.send(discord.attach("for-it.png", EXAMPLE), mentions=True, **talk)
    said = discord.wait_for_answer()
    assert said["message_reference"]["message_id"] == number
    assert said["content"].replace("\\", "") == expected
    assert not {"not-for-it.png", "everybody.png"} & set(discord.fetched)


def test_discord_several_pictures_are_told_apart_and_bounded(discord: Discord):
    pictures = [discord.attach(f"{name}.png", b"no picture") for name in "abcde"]
    pictures[1]["size"] = TOO_LARGE
    discord.send(*pictures)
    said = discord.wait_for_answer()["content"]
    assert [f"{name}.png\n" in said for name in "abcde"] == [True] * 4 + [False]
    assert "up to 8 MB" in said and "4 pictures at a time" in said
    assert set("abcde") & {name[0] for name in discord.fetched if len(name) == 5} == set("acd")


def test_discord_a_lost_picture_and_a_message_without_one_get_a_sentence(discord: Discord):
    lost = discord.attach("lost.png", b"")
    del discord.files["lost.png"]
    discord.send(lost)
    assert discord.wait_for_answer()["content"].startswith("I cannot fetch that picture.")
    with hold_port() as (_, nobody):
        discord.send({**lost, "url": f"{nobody}/lost.png", "proxy_url": f"{nobody}/lost.png"})
        assert discord.wait_for_answer()["content"].startswith("I cannot fetch that picture.")
    discord.send()
    assert discord.wait_for_answer()["content"].startswith("Send me a picture")


@pytest.mark.parametrize("name", ["telegram", "discord"])
def test_a_site_that_is_gone_is_told_without_its_address(name: str):
    with hold_port() as (_, gone), Telegram() if name == "telegram" else Discord() as platform:
        site = gone.replace("//", "//rin:secret@")
        if isinstance(platform, Telegram):
            settings = {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_API": platform.url, "KYARA_URL": site}
            with run_bot(TELEGRAM, **settings):
                platform.send_photo("one.png", EXAMPLE)
                said = platform.wait_for_answer()["text"]
        else:
            with run_bot([*DISCORD, platform.url], DISCORD_TOKEN=TOKEN, KYARA_URL=site):
                platform.send(platform.attach("one.png", EXAMPLE))
                said = platform.wait_for_answer()["content"]
    assert said == "Kyara does not answer at the moment. Please try again later."


@pytest.mark.parametrize(("name", "token"), [("telegram", ""), ("telegram", "1:wrong"), ("discord", "")])
def test_a_token_that_is_missing_or_wrong_is_told_in_a_sentence(name: str, token: str):
    with Telegram() as platform:
        settings = {"TELEGRAM_TOKEN": token, "TELEGRAM_API": platform.url, "DISCORD_TOKEN": token}
        status, said = read_last_words(
            TELEGRAM if name == "telegram" else [*DISCORD, platform.url], **settings
        )
    assert (status, f"{name.upper()}_TOKEN" in said) == (1, True)


def test_discord_refuses_a_wrong_token():
    with Discord() as platform:
        ended = read_last_words([*DISCORD, platform.url], DISCORD_TOKEN="wrong")
    assert ended == (1, "Discord does not know this DISCORD_TOKEN.")


@pytest.mark.parametrize("name", ["telegram", "discord"])
def test_an_address_that_is_none_is_told_in_a_sentence(name: str):
    settings = {f"{name.upper()}_TOKEN": TOKEN, "KYARA_URL": "kyara.example"}
    status, said = read_last_words(TELEGRAM if name == "telegram" else [*DISCORD, ""], **settings)
    assert (status, said.startswith("KYARA_URL: 'kyara.example' is no address")) == (1, True)
