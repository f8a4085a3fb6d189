"""Helpers for damage tests: a collection, copies of its folder, flipped bits, observations."""

from __future__ import annotations

import random
import shutil
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
        # Prevents automatic seals.
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
    """Write two segments with deleted documents, and a delta."""
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
    """Copy the files as a crash leaves them, without SQLite's shared memory. Return `target`."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
    return target


QUESTIONS: tuple[dict[str, Any], ...] = (
    {"query": "kiwi river", "limit": 20},
    {"query": "document stone", "limit": 10, "filter": {"group": "g1"}},
    {"query": "falcon", "limit": 10, "filter": {"year": {"gte": 1994}, "tags": "heron"}},
)


def observe(collection: Collection, ids: list[str]) -> dict[str, Any]:
    """Return the result of each read operation: a value, or `Refused` for a TwindexError."""

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


def answer(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except NotFoundError:
        raise
    except TwindexError as error:
        return Refused(error)
