"""An assistant that reads a collection with the tools of `twindex mcp`.

Shows: the official client of MCP, which starts the tools, lists them and calls them in a loop.
Needs: the package `mcp` (`pip install 'twindex[mcp]'`), but no model.
Prints: the tools, each call with the start of its result, and the answer with the cited ids.

A rule decides which tool is called next. In a real assistant, a language model decides.

    python examples/mcp_assistant.py "Which bird lives in New Zealand?"
"""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import ArgumentParser, RawTextHelpFormatter
from typing import Any

from mcp import Client, StdioServerParameters

import twindex

BIRDS = [
    {"id": "kiwi", "text": "The kiwi lives in New Zealand. It cannot fly."},
    {"id": "emu", "text": "The emu lives in Australia. It runs 50 km/h."},
]


def decide(question: str, results: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the next call of a tool, or None at the end."""
    if "search" not in results:
        return "search", {"query": question, "limit": 1}
    if "fetch" not in results and (found := results["search"]["results"]):
        return "fetch", {"id": found[0]["id"]}
    return None if "answer" in results else ("answer", {"question": question})


async def main(question: str) -> None:
    args = ["-m", "twindex", "mcp", "mcp-birds"]
    command = StdioServerParameters(command=sys.executable, args=args, env=dict(os.environ))
    results: dict[str, Any] = {}
    async with Client(command) as client:
        print("tools:", ", ".join(tool.name for tool in (await client.list_tools()).tools))
        while (call := decide(question, results)) is not None:
            result = await client.call_tool(*call)
            print(call, "->", result.content[0].text[:60])  # type: ignore[union-attr]
            results[call[0]] = result.structured_content
    answer = results["answer"]
    cited = {quote["id"] for citation in answer["citations"] for quote in citation["quotes"]}
    print(answer["outcome"], "-", answer["text"], "-", *sorted(cited))


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("question", nargs="?", default="Which bird lives in New Zealand?")
    with twindex.open_or_create("mcp-birds", {"legs": {"lexical": {"kind": "lexical"}}}) as birds:
        birds.add(BIRDS)
    asyncio.run(main(parser.parse_args().question))
