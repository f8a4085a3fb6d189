"""Train a reranker from documents and judged queries.

The result is a folder. Give it to --rerank, or use it in a file of --rerankers.
"""

from __future__ import annotations

import argparse
from types import ModuleType

from ..parser import add_modules
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
    add_modules(parser, KINDS, metavar="KIND", dest="trained")


def run(arguments: argparse.Namespace) -> int:
    status: int = KINDS[arguments.trained].run(arguments)
    return status
