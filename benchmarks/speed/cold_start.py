"""What a new process costs before its first result: imports, help, a first lexical search.

    python benchmarks/run.py cold_start --rounds 9

Each measurement is a process of its own. CPU time is that of all its threads, and the least of
several interleaved rounds counts, so files are in the page cache and compiled kernels are cached.
Bytecode is cached too, as in an installed package, in a folder of the run.
The collections have a lexical leg only: models of other legs take their own time to load.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.commands import measure
from common.datasets import DATA, json_lines
from common.timing import table

import twindex

COMMAND = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
SEARCH = "import sys, twindex; assert twindex.open(sys.argv[1]).search(sys.argv[2]).hits"
BM25S = """
import sys, bm25s
index = bm25s.BM25.load(sys.argv[1])
assert len(index.retrieve(bm25s.tokenize([sys.argv[2]], show_progress=False), show_progress=False))
"""
QUERY = "vitamin supplements during pregnancy"
PEERS = ("bm25s", "sentence_transformers", "chromadb", "lancedb", "faiss")


def read(folder: Path, most: int) -> list[dict[str, Any]]:
    """Return up to `most` documents of a BEIR-style set."""
    lines = json_lines(next(folder.glob("corpus.jsonl*")))
    return [
        {"id": f"{folder.name}-{one['_id']}", "title": one.get("title", ""), "text": one["text"]}
        for one, _ in zip(lines, range(most), strict=False)
    ]


def create(folder: Path, language: str, documents: Sequence[dict[str, Any]]) -> None:
    encoder = {"kind": "analyzer", "language": language}
    config = {"legs": {"lexical": {"kind": "lexical", "encoder": encoder}}}
    with twindex.create(folder, twindex.CollectionConfig.parse(config)) as collection:
        collection.add(documents)
        collection.merge()


def save_bm25s(folder: Path, documents: Sequence[dict[str, Any]]) -> bool:
    """Save the same texts as an index of bm25s. Return False if bm25s is not installed."""
    if find_spec("bm25s") is None:
        return False
    import bm25s

    index = bm25s.BM25()
    texts = [f"{document['title']} {document['text']}" for document in documents]
    index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
    index.save(folder, corpus=texts)
    return True


def programs(
    folder: Path, documents: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]
) -> dict[str, list[str]]:
    """Name of a measurement -> arguments of the interpreter.

    others: documents in another language. Queries of a collection in one language are not detected.
    """
    create(folder / "en", "en", documents)
    create(folder / "auto", "auto", [*documents, *others])
    found = {
        "python, empty": ["-c", "pass"],
        "import numpy": ["-c", "import numpy"],
        "import twindex": ["-c", "import twindex"],
        "twindex --version": ["-c", COMMAND, "--version"],
        "twindex --help": ["-c", COMMAND, "--help"],
    }
    for language in ("en", "auto"):
        path = str(folder / language)
        found[f"search, Python, {language}"] = ["-c", SEARCH, path, QUERY]
        found[f"search, command, {language}"] = ["-c", COMMAND, "search", path, QUERY]
    if save_bm25s(folder / "bm25s", documents):
        found["search, bm25s"] = ["-c", BM25S, str(folder / "bm25s"), QUERY]
    for peer in PEERS:
        if find_spec(peer) is not None:
            found[f"import {peer}"] = ["-c", f"import {peer}"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--set", default="scifact", help="name of a BEIR-style set")
    parser.add_argument("--documents", type=int, default=5_000)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--other", default="xquad_de", help="a set in another language")
    arguments = parser.parse_args()

    documents = read(arguments.data / arguments.set, arguments.documents)
    others = read(arguments.data / arguments.other, 200)
    best: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
        commands = programs(Path(folder), documents, others)
        for round_ in range(arguments.rounds + 1):  # The first fills the caches.
            for name, given in commands.items():
                if round_ > 1 and name.startswith("import s"):
                    continue  # It takes many times as long as all others together.
                taken = measure([sys.executable, *given], quiet=True)
                kept = {key: taken[key] for key in ("seconds", "cpu_seconds")}
                if round_ == 1:
                    best[name] = kept
                elif round_:
                    best[name] = {key: min(value, kept[key]) for key, value in best[name].items()}
    rows = [{"what": name, **best[name]} for name in commands]
    print(table(rows))
    if arguments.json:
        report = {
            "set": arguments.set,
            "other": arguments.other,
            "documents": len(documents),
            "rounds": arguments.rounds,
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
