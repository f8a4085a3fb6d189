"""The commands of `twindex`, one module each, imported when it is used.

A command's module has the name of the command, a docstring that says what it does (the first line
is the summary), an `EXAMPLE`, and two functions: `add_arguments(parser)` and
`run(arguments) -> exit status`. What is slow to import is imported in `run`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

COMMANDS = {
    "build": "build a collection from files",
    "add": "add documents to a collection",
    "delete": "delete documents by id, or all that meet a filter",
    "get": "print one stored document",
    "search": "search a collection",
    "eval": "evaluate searches with judged queries",
    "compare": "compare runs by their values of the same queries, with p-values",
    "info": "say what is in a collection",
    "verify": "check every file of a collection and every row of its database",
    "merge": "merge all segments into one",
    "reconfigure": "change how the vectors of a collection are stored",
    "repoint": "say where the model of a collection is now, after its folder was moved",
    "tune": "choose how vectors are stored, by measuring on the collection",
    "train": "make the weights of a reranker, from documents and judged queries",
    "calibrate": "turn a reranker's scores into probabilities, fitted to judged queries",
    "serve": "serve collections over HTTP, with a search page",
    "demo": "index and search Python's own documentation",
}
"""Name -> summary, in the order of `--help`."""


def load(name: str) -> Any:
    """The module of a command."""
    return import_module(f".{name}", __name__)
