"""The tools of `mcp_tools.py` as a server of the official SDK; needs the extra `mcp`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import getdoc
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

import kyara
from kyara.cli.mcp_tools import Tools
from kyara.errors import KyaraError


def make_server(tools: Tools) -> MCPServer[Any]:
    """Return a server with the three tools; nothing that they do changes an answer."""
    server: MCPServer[Any] = MCPServer(
        "kyara",
        title="Kyara",
        version=kyara.__version__,
        instructions=f"Who is this anime character? {tools.tell_roots()}",
        log_level="WARNING",
    )
    hints = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    for tool in (tools.identify_picture, tools.find_character, tools.list_characters):
        server.add_tool(_tell_sentences(tool), description=getdoc(tool), annotations=hints)
    return server


def _tell_sentences(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Have a model read what a `KyaraError` says; of other errors the SDK tells nothing."""

    @functools.wraps(tool)
    def call(**arguments: Any) -> Any:
        try:
            return tool(**arguments)
        except KyaraError as error:
            raise ToolError(str(error)) from error

    return call
