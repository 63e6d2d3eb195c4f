"""A wire between the browser and the site that counts what goes over it, and may be slow."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType

CHUNK_BYTES = 16 * 1024
_QUIET_TURNS = 5
"""A connection that was just taken becomes a task some turns of the loop later."""


class Wire:
    """Forwards connections to a port of this machine; used in a `with` statement.

    Attributes:
        url: where to connect to.
        received: bytes that came back from the site so far.
        bytes_a_second: how fast they may; 0 for no limit.
    """

    def __init__(self, port: int) -> None:
        self.received = 0
        self.bytes_a_second = 0.0
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._turn = asyncio.Lock()
        self._taken: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        starting = asyncio.start_server(self._take, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin a task of our own: asyncio complains of one of its own that is cancelled."""
        task = self._loop.create_task(self._connect(reader, writer))
        self._taken.add(task)
        task.add_done_callback(self._taken.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(self._forward(reader, back), self._count(there, writer))
        except (OSError, asyncio.CancelledError):
            pass  # the browser went away
        finally:
            for one in (writer, back):
                one.close()
                with suppress(OSError):
                    await one.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def _count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            self.received += len(data)
            if self.bytes_a_second:
                async with self._turn:  # all connections share the wire
                    await asyncio.sleep(len(data) / self.bytes_a_second)
            writer.write(data)
            await writer.drain()
        writer.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cut(self) -> None:
        self._server.close()
        quiet = 0
        while quiet < _QUIET_TURNS:
            await asyncio.sleep(0)
            connections = asyncio.all_tasks() - {asyncio.current_task()}
            quiet = 0 if connections else quiet + 1
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
