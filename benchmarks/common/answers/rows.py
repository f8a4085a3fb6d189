"""The rows of the table of answers: where the texts come from that a reader gets."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from twindex.core import Query
from twindex.rerank.spec import parse_spec
from twindex.search import RerankerRegistry

LEGS: Mapping[str, Mapping[str, Any]] = {
    "dense": {"kind": "dense"},
    "sparse": {"kind": "sparse"},
    "lexical": {"kind": "lexical"},
    "late": {"kind": "dense", "role": "rerank", "encoder": {"kind": "late"}},
}
"""Legs of the collections. `late` runs only where a search names it."""
RERANKERS = {"rerank": parse_spec("leg:late")}
RANDOM = 20
"""Number of passages drawn for a question of the row `random`."""

Source = Literal["all", "gold", "without gold", "gold + distractors", "random"]


@dataclass(frozen=True, slots=True)
class Row:
    """One way to get the texts that a reader reads.

    legs:    legs that are searched; empty: the default, `fused`.
    rerank:  order the best hits by the vectors of `late`.
    source:  documents that are searched.
    written: way of the generated texts that are read (`texts.WAYS`).
    combine: how generated texts and passages share the prompt; None: there are no passages.
             "together": a reranker orders both, which only a list without a reader can do.
    query:   way of the generated texts that are searched with the question.
    closed:  the reader gets no text at all.
    """

    name: str
    legs: Sequence[str] = ()
    rerank: bool = False
    source: Source = "all"
    written: str | None = None
    combine: str | None = None
    query: str | None = None
    closed: bool = False

    @property
    def needs_model(self) -> bool:
        """Return True if a language model writes texts, or if nothing but a model can answer."""
        return self.closed or self.written is not None or self.query is not None

    @property
    def quotable(self) -> bool:
        """Return True if the extractive reader can answer: it copies sentences of documents."""
        return not self.closed and self.written is None


TOGETHER = "generated and fused, reranked"
"""Row of texts that a reranker orders together."""
SINGLE = ("lexical", "sparse", "dense", "late")
"""Rows of a single leg, of which the best is the one that others are compared with."""
ROWS: Mapping[str, Row] = {
    row.name: row
    for row in (
        Row("closed book", closed=True),
        *(Row(leg, [leg]) for leg in SINGLE),
        Row("fused"),
        Row("fused + rerank", rerank=True),
        Row("HyDE", ["dense"], query="sampled"),
        Row("query2doc", ["lexical"], query="greedy"),
        Row("generated, greedy", written="greedy"),
        Row("generated, sampled", written="sampled"),
        Row("generated, clustered", written="clustered"),
        Row("generated, then fused", written="greedy", combine="generated_first"),
        Row("fused, then generated", written="greedy", combine="retrieved_first"),
        Row(TOGETHER, written="greedy", combine="together"),
        Row("gold", source="gold"),
        Row("gold + distractors", source="gold + distractors"),
        Row("random", source="random"),
        Row("without gold", source="without gold"),
    )
}
TEXTS = "texts"
"""Name of the background, or of the rewriter, that gives the generated texts of a row."""


def rerankers() -> RerankerRegistry:
    """The reranker of the rows."""
    return RerankerRegistry(RERANKERS)


def search_fields(
    row: Row, gold: Sequence[str], ids: Sequence[str], question: Query
) -> dict[str, Any]:
    """Fields of the search of a row. ids: ids of all documents."""
    fields: dict[str, Any] = {"legs": list(row.legs)} if row.legs else {}
    if row.rerank:
        fields["rerank"] = {"model": "rerank"}
    if row.query is not None:
        fields["rewrite"] = TEXTS
    if row.source == "gold":
        fields["filter"] = {"id": {"in": list(gold)}}
    elif row.source == "without gold" and gold:
        fields["filter"] = {"not": {"id": {"in": list(gold)}}}
    elif row.source == "random":
        chosen = random.Random(zlib.crc32(question.id.encode())).sample(ids, min(RANDOM, len(ids)))
        fields["filter"] = {"id": {"in": chosen}}
    return fields


def request_fields(row: Row, k: int | None, tokens: int, most: int) -> dict[str, Any]:
    """Fields of the answer of a row, besides its search.

    k: number of texts that the reader gets; None: as many as fit into `tokens`.
    most: tokens of a context that is limited by k.
    """
    fields: dict[str, Any] = {"context": {"tokens": tokens}}
    if k is not None:
        passages = k if row.written is None else k - 1  # Such rows have one generated text.
        fields["context"] = {"tokens": most, "passages": passages}
    if row.written is not None:
        how = {"only": True} if row.combine is None else {"combine": row.combine}
        fields["background"] = {"model": TEXTS, **how}
    return fields
