"""`twindex mcp` as a process: the official client, clean output, errors and ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from mcp import Client

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings

from ..answers.conftest import Scripted, answering, scripted  # noqa: F401 - fixtures
from .conftest import BIRDS, MODES, command, detail, error_of, value_of
from .conftest import run as wait_for


@pytest.mark.parametrize("mode", MODES)
def test_a_running_service_answers_by_its_address(address: str, mode: str) -> None:
    async def work() -> None:
        async with Client(command("--url", address), mode=mode) as client:
            assert (client.protocol_version > "2026") is (mode == "auto")
            tools = (await client.list_tools()).tools
            assert [one.name for one in tools] == ["search", "fetch", "answer", "list_collections"]
            asked = {"query": "bird that cannot fly"}
            found = value_of(await client.call_tool("search", {**asked, "collection": "birds"}))
            rest = httpx.post(f"{address}/v1/collections/birds/search", json=asked).json()
            assert [(one["id"], one["score"]) for one in found["results"]] == [
                (f"birds/{hit['id']}", hit["score"]) for hit in rest["hits"]
            ]
            calls = [client.call_tool("fetch", {"id": f"birds/{one['id']}"}) for one in BIRDS]
            texts = [value_of(one)["text"] for one in await asyncio.gather(*calls)]
            assert texts == [one["text"] for one in BIRDS]
            wrong = {"question": " ", "collection": "birds"}
            refused = error_of(await client.call_tool("answer", wrong))
            assert refused == detail(address, "birds/answer", {"question": " "})

    wait_for(work())


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_folder_is_served_by_the_process_itself(root: Path, address: str, mode: str) -> None:
    async def work() -> None:
        async with Client(command(str(root), "--collection", "birds"), mode=mode) as client:
            # The first call waits until the collection is loaded.
            asked = {"query": "bird that cannot fly"}
            found = value_of(await client.call_tool("search", asked))
            rest = httpx.post(f"{address}/v1/collections/birds/search", json=asked).json()
            assert [(one["id"], one["score"]) for one in found["results"]] == [
                (f"birds/{hit['id']}", hit["score"]) for hit in rest["hits"]
            ]
            assert found["results"][-1]["url"].startswith(("twindex:birds/", "https://"))
            question = {"question": "Which bird lives in New Zealand?"}
            said = value_of(await client.call_tool("answer", question))
            other = httpx.post(f"{address}/v1/collections/birds/answer", json=question).json()
            assert (said["text"], said["outcome"]) == (other["text"], other["outcome"])
            listed = value_of(await client.call_tool("list_collections", {}))["collections"]
            assert [(one["name"], one["documents"]) for one in listed] == [("birds", 3)]
            missing = error_of(await client.call_tool("fetch", {"id": "birds/dodo"}))
            assert missing == detail(address, "birds/documents/dodo")

    wait_for(work())


# -- standard output ---------------------------------------------------------------------


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    parameters = command(*arguments, **variables)
    return subprocess.Popen(
        [parameters.command, *parameters.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(parameters.env or {})},
    )


HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def greet(process: subprocess.Popen[str]) -> Any:
    """Send the first message of a client and return the reply."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(HELLO) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def test_standard_output_has_only_messages(root: Path) -> None:
    noise = (
        "import os, sys; from twindex.api.mcp.tools import Tools; found = Tools._found\n"
        "def loud(*given):\n"
        "    print('noise'); os.write(1, b'more noise'); os.system('echo from a child')\n"
        "    return found(*given)\n"
        "Tools._found = loud\n"
        "from twindex.api.cli.main import main; sys.exit(main())"
    )
    call = {"name": "search", "arguments": {"query": "kiwi", "collection": "birds"}}
    lines = [
        HELLO,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
    ]
    sent = "".join(json.dumps(line) + "\n" for line in lines)
    parameters = [sys.executable, "-c", noise, "mcp", str(root)]
    with subprocess.Popen(
        parameters, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("this is no JSON\n" + sent)
        process.stdin.flush()
        replies = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        assert process.stdout.read() == ""
        errors = process.stderr.read()
        assert process.wait(30) == 0
    found = {reply.get("id"): reply for reply in replies}
    assert found[1]["result"]["serverInfo"]["name"] == "twindex"
    assert found[2]["result"]["structuredContent"]["results"][0]["id"] == "birds/kiwi"
    for word in ("noise", "more noise", "from a child"):
        assert word in errors


@pytest.mark.parametrize(
    "how",
    [
        "close",
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_the_process_ends_with_its_assistant(address: str, how: Any) -> None:
    with start("--url", address) as process:
        assert greet(process)["result"]["protocolVersion"] == "2025-06-18"
        began = time.monotonic()
        if how == "close":
            process.stdin.close()  # type: ignore[union-attr]
        else:
            process.send_signal(how)
        assert process.wait(30) == (0 if how == "close" else -how)
        assert time.monotonic() - began < 10
        assert "Traceback" not in process.stderr.read()  # type: ignore[union-attr]


def test_a_remote_process_imports_no_models(address: str) -> None:
    code = (
        "import sys, io, atexit\n"
        "heavy = {'torch', 'faiss', 'numba', 'transformers', 'scipy', 'fastapi', 'orjson'}\n"
        "said = lambda: print('HEAVY', sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
        "atexit.register(said)\n"
        "from twindex.api.cli.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "mcp", "--url", address],
        input=json.dumps(HELLO) + "\n",
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["id"] == 1
    assert "HEAVY []" in done.stderr


# -- keys and arguments ------------------------------------------------------------------


@pytest.mark.slow
def test_the_key_comes_from_the_environment_or_a_file(
    root: Path, serving: Any, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    with serving(create_app(root, Settings(api_key="s3cret"))) as guarded:

        async def call(*arguments: str, **variables: str) -> Any:
            async with Client(command("--url", guarded, *arguments, **variables)) as client:
                return await client.call_tool("fetch", {"id": "birds/kiwi"})

        assert "API key missing or wrong" in error_of(wait_for(call()))
        for given in ({"TWINDEX_API_KEY": "s3cret"}, {}):
            arguments = () if given else ("--api-key-file", str(file))
            assert value_of(wait_for(call(*arguments, **given)))["title"] == "Kiwi"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name either ROOT or --url"),
        (["x", "--url", "http://127.0.0.1:1"], "name either ROOT or --url"),
        (["x", "--timeout", "3"], "--timeout: requires --url; remove it"),
        (["--url", "http://127.0.0.1:1", "--generators", "g"], "--generators: requires ROOT"),
        (["--url", "http://127.0.0.1:1", "--allow-download"], "--allow-download: requires ROOT"),
        (["--url", "ftp://x"], "url: must consist of http:// or https://"),
        (["--url", "http://u:p@x"], "url: must not contain a user name"),
        (["--url", "http://127.0.0.1:1", "--timeout", "0"], "timeout: must be at least"),
        (["--url", "http://127.0.0.1:1", "--api-key-file", "/no/such"], "--api-key-file: /no/such"),
        (["/no/such"], "/no/such is not a folder; create it first"),
    ],
)
def test_wrong_arguments_are_refused(run: Any, arguments: list[str], message: str) -> None:
    outcome = run("mcp", *arguments)
    assert outcome.status == 2
    assert outcome.err.startswith(f"twindex: error: {message}")
    assert outcome.out == ""


def test_a_missing_package_is_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.lowlevel", None)
    for arguments in (["--url", "http://127.0.0.1:1"], ["."]):
        outcome = run("mcp", *arguments)
        assert outcome.err == ("twindex: error: mcp is not installed: pip install 'twindex[mcp]'\n")
