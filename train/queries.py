"""Training queries, judged or generated from documents, with the documents that answer them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core import Document, InvalidInputError, Qrels, Query

Origin = Literal["judged", "title", "sentence", "written"]


@dataclass(frozen=True, slots=True)
class TrainingQuery:
    """A query and the documents that answer it.

    positives: ids of the documents that answer the query.
    origin:    "judged", or how the query was generated: a "title" or "sentence" of a document, or
               "written" by a language model.
    excluded:  ids of other documents that must not be negatives.
    removed:   for the origin "sentence", the sentence as it stands in the document; otherwise "".
    """

    id: str
    text: str
    positives: tuple[str, ...]
    origin: Origin = "judged"
    excluded: frozenset[str] = frozenset()
    removed: str = ""

    def read(self, document: Document) -> str:
        """Return the text of a document as the model reads it together with this query.

        If the query is a title or sentence of a document, the model must not find it in this
        document. A sentence is removed from its document. For a title, every document is read
        without its title, because a single document without a title would be easy to recognise.
        """
        if self.origin == "title":
            return document.text.strip()
        text = document.text
        if self.removed and document.id in self.positives:
            text = text.replace(self.removed, " ")
        return f"{document.title} {text}".strip()


def judged_queries(
    queries: Sequence[Query], qrels: Qrels, documents: Mapping[str, Document]
) -> list[TrainingQuery]:
    """Return the queries that have a relevant document in `documents`, in the given order.

    A document is relevant if its grade is above 0. Raises InvalidInputError if no query has a
    relevant document.
    """
    known = [query for query in queries if query.id in qrels]
    if not known:
        raise InvalidInputError(
            "no query has judgements; check that queries and judgements belong to the same data "
            "set",
            field="qrels",
        )
    found = []
    for query in known:
        grades = qrels[query.id]
        positives = tuple(one for one, grade in grades.items() if grade > 0 and one in documents)
        if positives:
            found.append(TrainingQuery(query.id, query.text, positives))
    if not found:
        raise InvalidInputError(
            "no query has a relevant document among the documents; check that documents and "
            "judgements belong to the same data set",
            field="qrels",
        )
    return found


def split(
    queries: Sequence[TrainingQuery], held_out: int, seed: int
) -> tuple[list[TrainingQuery], list[TrainingQuery]]:
    """Split queries at random. Return (training queries, held-out queries), in the given order.

    At most a fifth of the queries is held out. A training query with the same text as a held-out
    query is dropped.

    held_out: maximum number of held-out queries.
    """
    count = min(held_out, len(queries) // 5)
    chosen = set(np.random.default_rng([seed, 1]).permutation(len(queries))[:count].tolist())
    validation = [query for i, query in enumerate(queries) if i in chosen]
    texts = {_plain(query.text) for query in validation}
    training = [
        query
        for i, query in enumerate(queries)
        if i not in chosen and _plain(query.text) not in texts
    ]
    return training, validation


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
