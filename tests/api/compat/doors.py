"""The server and the clients of its interfaces, for questions to each of them."""

from __future__ import annotations

import asyncio
import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx2 as httpx

import twindex
from twindex.api.cli.main import main


class Refused(Exception):  # noqa: N818 - a refusal is what the tests expect
    """An error of an interface whose client raises no error of its own.

    status: status of the reply, or of the process.
    """

    def __init__(self, status: object, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Doors:
    """Everything that a test needs to ask every interface.

    server: the process, as `conftest.Process`.
    remote: client of the service.
    openai, cohere: the official clients.
    """

    server: Any
    remote: twindex.Client
    openai: Any
    cohere: Any

    def folder(self, name: str) -> twindex.Collection:
        """Open a collection of the server in this process."""
        root = self.server.root
        return twindex.open(
            root / name,
            read_only=True,
            rerankers=twindex.RerankerRegistry.read(root.parent / "rerankers.toml"),
            generators=twindex.GeneratorRegistry.read(root.parent / "generators.toml"),
        )

    def post(self, path: str, body: Any) -> Any:
        """Return the reply of the REST interface."""
        reply = self.server.http.post(f"/v1/collections/{path}", json=body)
        if reply.status_code != 200:
            raise Refused(reply.status_code, reply.json()["detail"])
        return reply.json()

    def tool(self, name: str, arguments: Any) -> Any:
        """Return the result of a tool, which the official client of MCP calls over HTTP."""
        result = asyncio.run(asyncio.wait_for(self._tool(name, arguments), 60))
        if result.is_error:
            raise Refused("tool", result.content[0].text)
        return result.structured_content

    async def _tool(self, name: str, arguments: Any) -> Any:
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client

        url, headers = f"{self.server.url}/mcp", self.server.http.headers
        async with (
            httpx.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            return await client.call_tool(name, arguments)

    def command(self, *argv: str) -> Any:
        """Return what a command prints as JSON."""
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
            status = main([*argv, "--json"])
        if status:
            raise Refused(status, errors.getvalue().removeprefix("twindex: error: ").strip())
        return json.loads(out.getvalue())

    def page(self, path: str, **fields: str) -> str:
        """Return a page as a browser without JavaScript shows it."""
        reply = self.server.http.get(path, params=fields)
        if reply.status_code != 200:
            alert = reply.text.partition('role="alert">')[2].partition("</section>")[0]
            text = alert.partition("</h2>")[2]
            raise Refused(reply.status_code, unescape(re.sub("<[^>]+>", "", text)).strip())
        return str(reply.text)
