"""Training queries with the documents that answer them: judged, or generated from documents."""

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

    positives: ids of documents that answer the query.
    origin:    "judged", or how the query was generated.
    excluded:  ids of other documents that must not be negatives.
    removed:   if the query is a sentence of the document, that sentence. Else "".
    """

    id: str
    text: str
    positives: tuple[str, ...]
    origin: Origin = "judged"
    excluded: frozenset[str] = frozenset()
    removed: str = ""

    def read(self, document: Document) -> str:
        """Return the text of a document that the model reads with this query.

        If the query is a title, the titles of all documents are left out. Otherwise the missing
        title would identify the positive. If the query is a sentence, it is removed from its
        document.
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

    A document is relevant if its grade is above 0. Raises InvalidInputError if there is no such
    query.
    """
    known = [query for query in queries if query.id in qrels]
    if not known:
        raise InvalidInputError(
            "none of the judged queries is among the queries: check that queries and judgements "
            "belong to the same data set",
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
            "no judged query has a relevant document among the documents: check that documents and "
            "judgements belong to the same data set",
            field="qrels",
        )
    return found


def split(
    queries: Sequence[TrainingQuery], held_out: int, seed: int
) -> tuple[list[TrainingQuery], list[TrainingQuery]]:
    """Split queries at random into training queries and held-out queries, in the given order.

    At most a fifth of the queries is held out. If a query that is not held out has the text of a
    held-out query, it is in neither list.

    held_out: most queries that are held out.
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
