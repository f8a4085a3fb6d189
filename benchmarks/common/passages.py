"""MiniLM vectors of the passages of the rfc collection, encoded once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .datasets import CACHE, DATA, json_lines

Vectors = NDArray[np.float32]
WORDS = 120
"""Words of a passage. Every QUERY_EVERY-th passage is left out: its beginning is a query."""
QUERY_EVERY = 40
QUERY_WORDS = 16


def texts(limit: int) -> tuple[list[str], list[str]]:
    """At most `limit` passages, and queries: the beginnings of passages that are left out."""
    passages: list[str] = []
    queries: list[str] = []
    at = 0
    for document in json_lines(DATA / "rfc" / "corpus.jsonl.gz"):
        words = document["text"].split()
        for start in range(0, len(words), WORDS):
            piece = words[start : start + WORDS]
            if len(piece) < QUERY_WORDS:
                continue
            at += 1
            if at % QUERY_EVERY == 0:
                queries.append(" ".join(piece[:QUERY_WORDS]))
            else:
                passages.append(" ".join(piece))
            if len(passages) == limit:
                return passages, queries
    return passages, queries


def rfc_vectors(limit: int, number: int) -> tuple[Vectors, Vectors]:
    """Vectors of at most `limit` passages, and of `number` queries; stored in CACHE."""
    file = CACHE / f"rfc-{WORDS}-{limit}.npz"
    if not file.exists():
        from twindex.encoders import DenseEncoderConfig, load_encoder

        encoder = load_encoder(DenseEncoderConfig())
        passages, queries = texts(limit)
        print(f"encoding {len(passages):,} passages and {len(queries):,} queries", flush=True)
        made: dict[str, list[Vectors]] = {"document": [], "query": []}
        for role, kind in (("document", passages), ("query", queries)):
            for start in range(0, len(kind), 4_096):
                made[role].append(encoder.encode(kind[start : start + 4_096], role=role).dense)
                print(f"  {role} {start + 4_096:,}", flush=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        np.savez(file, **{role: np.vstack(parts) for role, parts in made.items()})
    with np.load(file) as kept:
        return kept["document"], kept["query"][:number]
