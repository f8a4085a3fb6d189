"""Serve collections over HTTP, with a search page.

ROOT holds one folder for each collection. The page is at /, the interactive documentation of the
interface at /docs. Requests may name the rerankers of --rerankers, and no others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import add_allowed_models, add_models, allow_download, allow_models
from .reranking import add_rerankers

EXAMPLE = "twindex serve collections --port 8080"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", metavar="ROOT", type=Path, help="folder that holds collections")
    parser.add_argument("--host", default="127.0.0.1", help="(default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="(default: 8080)")
    add_rerankers(parser)
    add_models(parser)
    add_allowed_models(parser)


def run(arguments: argparse.Namespace) -> int:
    allow_download(arguments)
    allow_models(arguments)

    from ..server import serve

    serve(
        arguments.root,
        host=arguments.host,
        port=arguments.port,
        device=arguments.device,
        rerankers=arguments.rerankers,
    )
    return 0
