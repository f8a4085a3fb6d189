"""Serve collections to an assistant over the Model Context Protocol (MCP).

The assistant starts this command and talks to it on standard input and output. It gets the tools
`search`, `fetch`, `answer` and `list_collections`, which only read.

With ROOT, this process opens the collections. With --url, it sends the calls to a running
`twindex serve`, so it needs no model: it starts faster and takes less memory.

`twindex serve` itself has the same tools at /mcp, for assistants that connect over HTTP. The
command needs the extra `mcp`: pip install 'twindex[mcp]'.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

# With --url, the command needs no models, so this module imports nothing that is slow to import.
from .....core import InvalidInputError
from ...arguments.key_file import add_key_file, read_key

EXAMPLE = "twindex mcp --url http://127.0.0.1:8080"
TIMEOUT = 130.0
"""Default of --timeout: more than the default time limit of an answer on a server."""
PATIENCE = 10.0
"""Maximum number of seconds to wait for a server that is unreachable, loading or overloaded."""
_LOCAL = ("config", "rerankers", "generators", "rewriters", "device", "allow_download")
"""Arguments that require ROOT."""
_REMOTE = ("api_key_file", "timeout")
"""Arguments that require --url."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "root",
        metavar="ROOT",
        nargs="?",
        type=Path,
        help="folder that contains the collections, or folder of one collection",
    )
    parser.add_argument("--url", help="address of a running `twindex serve`, instead of ROOT")
    parser.add_argument(
        "--collection",
        metavar="NAME",
        help="the only collection that the tools read (default: all collections)",
    )
    local = parser.add_argument_group("with ROOT")
    local.add_argument("--config", type=Path, metavar="FILE.toml", help="TOML file of settings")
    for noun in ("reranker", "generator", "rewriter"):
        local.add_argument(
            f"--{noun}s",
            type=Path,
            metavar="FILE.toml",
            help=f"TOML file that configures {noun}s, each in a table [{noun}s.NAME]",
        )
    local.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        help="device that runs the models (default: as configured, else auto)",
    )
    local.add_argument(
        "--allow-download",
        action="store_true",
        default=None,
        help="download models that are not on this machine (default: no network access)",
    )
    remote = parser.add_argument_group("with --url")
    add_key_file(remote)
    remote.add_argument(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help=f"maximum time to wait for a reply of the server (default: {TIMEOUT:g})",
    )


def run(arguments: argparse.Namespace) -> int:
    url = arguments.url
    if (url is None) == (arguments.root is None):
        raise InvalidInputError("name either ROOT or --url")
    for name in _REMOTE if url is None else _LOCAL:
        if getattr(arguments, name) is not None:
            option = "--" + name.replace("_", "-")
            raise InvalidInputError(
                f"requires {'--url' if url is None else 'ROOT'}; remove it", field=option
            )
    return _run_local(arguments) if url is None else _run_remote(arguments)


def _run_remote(arguments: argparse.Namespace) -> int:
    from ....mcp.stdio import serve_remote

    key: str | None = os.environ.get("TWINDEX_API_KEY")
    if arguments.api_key_file is not None:
        key = read_key(arguments.api_key_file)
    serve_remote(
        arguments.url,
        api_key=key and key.strip(),
        timeout=TIMEOUT if arguments.timeout is None else arguments.timeout,
        patience=PATIENCE,
        only=arguments.collection,
    )
    return 0


def _run_local(arguments: argparse.Namespace) -> int:
    if arguments.allow_download:
        os.environ["TWINDEX_ALLOW_DOWNLOAD"] = "1"

    from ....mcp.local import running
    from ....mcp.places import Place
    from ....mcp.server import require_mcp
    from ....mcp.stdio import serve
    from ....serving.service import Service
    from ....serving.settings import Settings

    require_mcp()
    names = ("rerankers", "generators", "rewriters", "device")
    given = {
        name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None
    }
    settings = Settings.from_environment(os.environ, file=arguments.config, given=given)
    service = Service(arguments.root, settings)
    serve(lambda: running(service, settings), Place(arguments.collection))
    return 0
