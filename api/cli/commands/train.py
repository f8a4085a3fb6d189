"""Train a reranker from documents and judged queries.

The result is a folder. Give it to --rerank, or use it in a file of --rerankers.
"""

from __future__ import annotations

import argparse
from types import ModuleType

from ..parser import fill
from ..training import cross_encoder, passage_scorer

EXAMPLE = (
    "twindex train cross-encoder my-model --documents corpus.jsonl --queries queries.jsonl "
    "--qrels qrels/train.tsv"
)

KINDS: dict[str, ModuleType] = {
    "cross-encoder": cross_encoder,
    "passage-scorer": passage_scorer,
}
"""Kind of reranker -> module that trains it. The module has the members of a command's module."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(
        metavar="KIND", required=True, dest="trained", parser_class=type(parser)
    )
    for name, module in KINDS.items():
        summary = (module.__doc__ or "").partition("\n")[0].rstrip(".")
        fill(kinds.add_parser(name, help=summary[0].lower() + summary[1:]), module)


def run(arguments: argparse.Namespace) -> int:
    status: int = KINDS[arguments.trained].run(arguments)
    return status
