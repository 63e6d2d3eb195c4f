"""Telegram and Discord on the loopback: what a bot uses of their HTTP APIs, and of Discord's gateway."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from abc import ABC, abstractmethod
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

TOKEN = "123456:made-up-token-of-the-tests"
BOT = 4711
VISITOR = 42
WHEN = "2026-01-01T00:00:00.000000+00:00"
ANSWER_S = 60.0
"""So long a test waits for an answer of a bot."""


class Platform(ABC):
    """A server in a thread of its own; used in a `with` statement it ends with the block.

    Attributes:
        url: where it answers.
        files: name → the bytes that can be fetched.
        fetched: the names that were.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self._numbers = count(1000)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return what the platform answers."""

    def wait_for_answer(self) -> dict[str, Any]:
        """Return the next message that the bot sends."""
        return self._said.get(timeout=ANSWER_S)

    @property
    def has_answers(self) -> bool:
        """Whether the bot sent messages that no test has waited for."""
        return not self._said.empty()

    async def _send_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.files:
            return _answer_json({"ok": False, "error_code": 404, "description": "Not Found"}, 404)
        self.fetched.append(name)
        return web.Response(body=self.files[name])

    async def _pass_on(
        self, said: dict[str, Any], answer: web.Response, request: web.Request
    ) -> web.Response:
        """Hand what the bot says to the test, once the bot's request is answered."""
        await answer.prepare(request)
        await answer.write_eof()
        self._said.put(said)
        return answer

    async def _start(self) -> None:
        app = web.Application()
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def _run(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(timeout=30)

    def __enter__(self) -> Any:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Telegram(Platform):
    """The Bot API, polled for updates."""

    def __init__(self) -> None:
        super().__init__()
        self._updates: list[dict[str, Any]] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/bot{token}/{method}", self._answer),
            web.get(f"/file/bot{TOKEN}/{{name}}", self._send_file),
        ]

    def send(self, **content: Any) -> int:
        """Have a visitor send a message; returns its number."""
        number = next(self._numbers)
        who = {"id": VISITOR, "is_bot": False, "first_name": "Visitor"}
        chat = {"id": VISITOR, "type": "private", "first_name": "Visitor"}
        message = {"message_id": number, "date": 1_767_225_600, "chat": chat, "from": who, **content}
        self._updates.append({"update_id": number, "message": message})
        return number

    def send_photo(self, name: str, data: bytes) -> int:
        """Have a visitor send a photograph, in two sizes, of which the second is the large one."""
        self.files[name] = data
        sizes = [("small.png", 90), (name, 1280)]
        return self.send(
            photo=[
                {
                    "file_id": each,
                    "file_unique_id": each,
                    "width": side,
                    "height": side,
                    "file_size": 100,
                }
                for each, side in sizes
            ]
        )

    def send_file(self, name: str, data: bytes, *, kind: str, size_bytes: int) -> int:
        """Have a visitor send a file."""
        self.files[name] = data
        document = {"file_id": name, "file_unique_id": name, "mime_type": kind, "file_size": size_bytes}
        return self.send(document=document)

    async def _answer(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            refused = {"ok": False, "error_code": 401, "description": "Unauthorized"}
            return _answer_json(refused, 401)
        method, sent = request.match_info["method"], dict(await request.post())
        answer = _answer_json({"ok": True, "result": await getattr(self, f"_{method}")(sent)})
        return await self._pass_on(sent, answer, request) if method == "sendMessage" else answer

    async def _getMe(self, sent: dict[str, Any]) -> Any:
        return {"id": BOT, "is_bot": True, "first_name": "Kyara", "username": "kyara_bot"}

    async def _deleteWebhook(self, sent: dict[str, Any]) -> Any:
        return True

    async def _getUpdates(self, sent: dict[str, Any]) -> Any:
        first = int(sent.get("offset", 0))
        for _ in range(100):
            if waiting := [each for each in self._updates if each["update_id"] >= first]:
                return waiting
            await asyncio.sleep(0.02)
        return []

    async def _getFile(self, sent: dict[str, Any]) -> Any:
        name = sent["file_id"]
        return {"file_id": name, "file_unique_id": name, "file_path": name}

    async def _sendMessage(self, sent: dict[str, Any]) -> Any:
        chat = {"id": VISITOR, "type": "private", "first_name": "Visitor"}
        return {"message_id": next(self._numbers), "date": 1_767_225_600, "chat": chat}


class Discord(Platform):
    """The API of version 10, its gateway, and the place of attachments."""

    channel, guild = 900, 800

    def __init__(self) -> None:
        super().__init__()
        self._ready = threading.Event()
        self._sequence = count(1)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/gateway/", self._hold),
            web.get("/api/users/@me", self._tell_bot),
            web.get("/api/oauth2/applications/@me", self._tell_application),
            web.post("/api/channels/{channel}/typing", self._take_typing),
            web.post("/api/channels/{channel}/messages", self._take_message),
            web.get("/attachments/{name}", self._send_file),
        ]

    def send(self, *attachments: dict[str, Any], mentions: bool = False, **more: Any) -> int:
        """Have somebody send a message: to the bot alone, or with `guild_id` to a channel."""
        assert self._ready.wait(ANSWER_S), "the bot has not come to the gateway"
        number = next(self._numbers)
        message = {
            **_describe_message(number, self.channel, _describe_user(VISITOR, "visitor", bot=False)),
            "attachments": list(attachments),
            "mentions": [_describe_user(BOT, "kyara", bot=True)] if mentions else [],
            **more,
        }
        self._run(self._dispatch("MESSAGE_CREATE", message))
        return number

    def attach(self, name: str, data: bytes) -> dict[str, Any]:
        """Return an attachment; its file can be fetched."""
        self.files[name] = data
        url = f"{self.url}/attachments/{name}"
        return {
            **{"id": str(next(self._numbers)), "filename": name, "size": len(data)},
            **{"url": url, "proxy_url": url, "content_type": "image/png"},
        }

    async def _hold(self, request: web.Request) -> web.WebSocketResponse:
        self._socket = web.WebSocketResponse()
        await self._socket.prepare(request)
        await self._socket.send_json({"op": 10, "d": {"heartbeat_interval": 41_250}})
        async for message in self._socket:
            assert message.type == WSMsgType.TEXT
            said = json.loads(message.data)
            if said["op"] == 1:
                await self._socket.send_json({"op": 11})
            elif said["op"] == 2 and said["d"]["token"] == TOKEN:
                await self._welcome()
        return self._socket

    async def _welcome(self) -> None:
        url = f"{self.url}/gateway/".replace("http", "ws")
        bot, guild = _describe_user(BOT, "kyara", bot=True), {"id": str(self.guild), "unavailable": True}
        about = {"v": 10, "user": bot, "guilds": [guild], "session_id": "1", "resume_gateway_url": url}
        await self._dispatch("READY", {**about, "application": {"id": str(BOT), "flags": 0}})
        await self._dispatch("GUILD_CREATE", _describe_guild(self.guild, self.channel))
        self._ready.set()

    async def _dispatch(self, kind: str, content: dict[str, Any]) -> None:
        await self._socket.send_json({"op": 0, "t": kind, "s": next(self._sequence), "d": content})

    async def _tell_bot(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bot {TOKEN}":
            return _answer_json({"message": "401: Unauthorized", "code": 0}, 401)
        return _answer_json(_describe_user(BOT, "kyara", bot=True))

    async def _tell_application(self, request: web.Request) -> web.Response:
        about = {"id": str(BOT), "name": "Kyara", "description": "", "icon": None, "verify_key": ""}
        about |= {"bot_public": True, "bot_require_code_grant": False, "flags": 0}
        about["owner"] = _describe_user(VISITOR, "visitor", bot=False)
        return _answer_json(about)

    async def _take_typing(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _take_message(self, request: web.Request) -> web.Response:
        sent = await request.json()
        bot = _describe_user(BOT, "kyara", bot=True)
        channel = int(request.match_info["channel"])
        answer = _answer_json(_describe_message(next(self._numbers), channel, bot))
        return await self._pass_on(sent, answer, request)


def _answer_json(content: Any, status: int = 200) -> web.Response:
    """Answer JSON without a charset: discord.py takes nothing else for JSON."""
    body = json.dumps(content).encode()
    return web.Response(body=body, status=status, content_type="application/json")


def _describe_user(number: int, name: str, *, bot: bool) -> dict[str, Any]:
    return {"id": str(number), "username": name, "discriminator": "0", "avatar": None, "bot": bot}


def _describe_message(number: int, channel: int, author: dict[str, Any]) -> dict[str, Any]:
    return {
        **{"id": str(number), "channel_id": str(channel), "author": author, "content": "", "type": 0},
        **{"timestamp": WHEN, "edited_timestamp": None, "tts": False, "pinned": False},
        **{"mention_everyone": False, "mentions": [], "mention_roles": []},
        **{"attachments": [], "embeds": []},
    }


def _describe_guild(number: int, channel: int) -> dict[str, Any]:
    everybody = {"id": str(number), "name": "@everyone", "permissions": "0", "position": 0, "color": 0}
    everybody |= {"hoist": False, "managed": False, "mentionable": False, "flags": 0}
    text = {
        "id": str(channel + 1),
        "type": 0,
        "name": "talk",
        "position": 0,
        "permission_overwrites": [],
    }
    return {
        **{"id": str(number), "name": "Guild", "owner_id": str(VISITOR), "member_count": 2},
        **{"roles": [everybody], "channels": [text], "members": [], "emojis": [], "features": []},
        **{"verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0},
        **{"mfa_level": 0, "premium_tier": 0, "preferred_locale": "en-US", "nsfw_level": 0},
        **{"afk_timeout": 300, "system_channel_flags": 0, "premium_progress_bar_enabled": False},
    }
