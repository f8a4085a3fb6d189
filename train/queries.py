"""Queries with the documents that answer them: judged by people, or made from the documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core import Document, InvalidInputError, Qrels, Query

Origin = Literal["judged", "title", "sentence", "written"]


@dataclass(frozen=True, slots=True)
class TrainingQuery:
    """A query and what answers it.

    positives: ids of documents. excluded: ids of others that are no negatives either. origin: where
    it is from. removed: of a sentence of the document, that sentence.
    """

    id: str
    text: str
    positives: tuple[str, ...]
    origin: Origin = "judged"
    excluded: frozenset[str] = frozenset()
    removed: str = ""

    def read(self, document: Document) -> str:
        """A document as the model reads it beside this query.

        A title that is the query is left out, of every document: without a title only where it is
        the right one, it would be told by that. A sentence that is the query is cut out.
        """
        if self.origin == "title":
            return document.text.strip()
        text = document.text
        if self.removed and document.id in self.positives:
            text = text.replace(self.removed, " ")
        return f"{document.title} {text}".strip()


def judged(
    queries: Sequence[Query], qrels: Qrels, documents: Mapping[str, Document]
) -> list[TrainingQuery]:
    """Queries with a document, of those given, whose grade is above 0; in the order of the file.

    Raises InvalidInputError where there is none.
    """
    known = [query for query in queries if query.id in qrels]
    if not known:
        raise InvalidInputError(
            "none of the judged queries is among the queries: these files do not belong together",
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
            "no judged query has a relevant document among the documents", field="qrels"
        )
    return found


def split(
    queries: Sequence[TrainingQuery], held_out: int, seed: int
) -> tuple[list[TrainingQuery], list[TrainingQuery]]:
    """(trained on, held out), both in the given order. At most a fifth is held out; queries with
    the text of one that is held out are in neither."""
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
