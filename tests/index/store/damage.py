"""A collection, pictures of its folder, single flipped bits, and what a reader then sees."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twindex.core import Document, NotFoundError, TwindexError
from twindex.encoders import DenseEncoderConfig
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, StorageConfig
from twindex.search import Collection

WORDS = ["alpha", "beta", "gamma", "delta", "kiwi", "heron", "falcon", "river", "stone", "cloud"]


def configuration() -> CollectionConfig:
    return CollectionConfig(
        legs={
            "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
            "lexical": LexicalLeg(),
        },
        # Nothing seals by itself.
        storage=StorageConfig(seal_passages=10_000, max_segments=8),
    )


def documents(first: int, last: int, version: int = 0) -> list[Document]:
    made = []
    for i in range(first, last):
        random_ = random.Random(f"{i} {version}")
        text = f"document {i} version {version} " + " ".join(random_.choices(WORDS, k=30))
        metadata = {"group": f"g{i % 4}", "year": 1990 + i % 9, "tags": random_.sample(WORDS, 2)}
        made.append(Document(f"n{i}", text, f"Title {i}", metadata))
    return made


def fill(collection: Collection, size: int = 60) -> None:
    """Two segments with dead documents, and a delta."""
    collection.add(documents(0, size))
    collection.seal()
    collection.add(documents(size - 10, size + 10, version=1))
    collection.seal()
    collection.delete(["n3", f"n{size}"])
    collection.add(documents(5, 15, version=2))


def flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ (1 << bit % 8)]))


def picture(source: Path, target: Path) -> Path:
    """The files as they are on disk, as after a crash: without SQLite's shared memory."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
    return target


QUESTIONS: tuple[dict[str, Any], ...] = (
    {"query": "kiwi river", "limit": 20},
    {"query": "document stone", "limit": 10, "filter": {"group": "g1"}},
    {"query": "falcon", "limit": 10, "filter": {"year": {"gte": 1994}, "tags": "heron"}},
)


def observe(collection: Collection, ids: list[str]) -> dict[str, Any]:
    """What a reader sees, each answer by itself: a value, or the message of a TwindexError."""

    def get(name: str) -> Any:
        try:
            found = collection.get(name)
        except NotFoundError:
            return None
        return (found.id, found.title, found.text, dict(found.metadata))

    def search(question: dict[str, Any]) -> Any:
        hits = collection.search(
            question["query"], **{k: question[k] for k in question if k != "query"}
        )
        return [(hit.id, round(hit.score, 6), hit.document.text) for hit in hits.hits]

    seen: dict[str, Any] = {}
    for name in ids:
        seen[f"get {name}"] = answer(lambda name=name: get(name))
    for question in QUESTIONS:
        seen[f"search {question}"] = answer(lambda question=question: search(question))
    seen["documents"] = answer(lambda: [d.id for d in collection.documents(limit=1000)])
    seen["count"] = answer(collection.count)
    seen["filtered"] = answer(lambda: collection.count({"tags": {"in": ["kiwi", "cloud"]}}))
    seen["info"] = answer(lambda: len(collection.info()["segments"]))
    return seen


class Refused(str):
    """The message of a TwindexError."""


def answer(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except NotFoundError:
        raise
    except TwindexError as error:
        return Refused(error)


SCHEMA_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);
CREATE TABLE contents (
    number INTEGER PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT NOT NULL
);
CREATE TABLE fields (
    key TEXT NOT NULL, kind INTEGER NOT NULL, value NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (key, kind, value, number)
) WITHOUT ROWID;
CREATE TABLE delta (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX delta_number ON delta (number);
CREATE TABLE segments (
    id TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
    passages INTEGER NOT NULL, documents INTEGER NOT NULL, manifest TEXT NOT NULL
);
CREATE TABLE tombstones (seq INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL);
CREATE INDEX tombstones_number ON tombstones (number);
"""
"""As the release before wrote it."""


def to_format_1(path: Path) -> None:
    """Make of a collection one that the release before could have written."""
    new = sqlite3.connect(path / "collection.db", isolation_level=None)
    old = sqlite3.connect(path / "old.db", isolation_level=None)
    old.execute("PRAGMA auto_vacuum=INCREMENTAL")
    old.execute("PRAGMA journal_mode=WAL")
    old.executescript(SCHEMA_1)
    for table in ("meta", "documents", "contents", "fields", "delta", "segments", "tombstones"):
        columns = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
        marks = ",".join("?" * len(columns))
        rows = new.execute(f"SELECT {','.join(columns)} FROM {table}").fetchall()
        old.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    for name, last in new.execute("SELECT name, seq FROM sqlite_sequence").fetchall():
        old.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        old.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, last))
    old.execute("UPDATE meta SET value = '1' WHERE key = 'format'")
    # The release before counted so: the value became an integer.
    old.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'generation'")
    old.execute("DELETE FROM meta WHERE key = 'fields'")
    new.close()
    old.close()
    (path / "old.db").replace(path / "collection.db")
    (path / "collection.mark").unlink()
