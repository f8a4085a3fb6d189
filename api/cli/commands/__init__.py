"""The commands of `twindex`, one module each. A module is imported when its command runs.

`FOLDERS` names the sub-folders of modules that are not in this folder.

A command's module has the name of the command. Its docstring is the description in the help; the
first line is the summary. The module defines `EXAMPLE` and two functions: `add_arguments(parser)`
and `run(arguments)`, which returns the exit status. Slow imports belong in `run`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

COMMANDS = {
    "build": "build a collection from files",
    "add": "add documents to a collection",
    "delete": "delete documents by id or by filter",
    "update": "change the metadata of documents by id or by filter",
    "get": "print one stored document",
    "search": "search a collection",
    "ask": "answer a question from the documents of a collection",
    "chat": "hold a conversation about the documents of a collection",
    "eval": "evaluate searches with judged queries",
    "compare": "compare runs on the same queries, with p-values",
    "passages": "show how documents are cut into passages",
    "export": "write the documents and vectors of a collection as plain files",
    "info": "show what is in a collection",
    "verify": "check every file of a collection and every row of its database, or a chained audit "
    "log",
    "snapshot": "copy a collection to a folder or an object store while it is searched and written",
    "snapshots": "list the snapshots in a folder or an object store, oldest first",
    "restore": "restore a snapshot as a collection in a new folder",
    "history": "print or revert the versions of a document, or change how long they are kept",
    "purge": "erase documents with all their versions, and print a proof",
    "merge": "merge all segments into one",
    "reconfigure": "change how the vectors of a collection are stored",
    "reembed": "encode a collection again with other models, while it is searched and written",
    "repoint": "set the stored path of a model after the model's folder was moved",
    "tune": "choose how vectors are stored, by measuring on the collection",
    "train": "train a reranker from documents and judged queries",
    "calibrate": "fit a reranker's scores, or a generator's rule of abstention",
    "serve": "serve collections over HTTP, with a search page",
    "keys": "create, list and revoke the API keys of a server",
    "mcp": "serve collections to an assistant over the Model Context Protocol (MCP)",
    "demo": "index and search Python's own documentation",
}
"""Name of a command -> summary, in the order of `--help`."""

FOLDERS = {
    **dict.fromkeys(("ask", "chat"), "answering"),
    **dict.fromkeys(
        (
            "history",
            "merge",
            "purge",
            "reembed",
            "repoint",
            "snapshot",
            "snapshots",
            "restore",
        ),
        "operating",
    ),
    "update": "keeping",
    **dict.fromkeys(("serve", "keys", "mcp"), "serving"),
}
"""Name of a command -> sub-folder of its module."""


def load(name: str) -> Any:
    """Import and return the module of a command."""
    folder = f".{FOLDERS[name]}" if name in FOLDERS else ""
    return import_module(f"{folder}.{name}", __name__)
