"""Generates training queries from documents, without judgements.

There are two methods. In the first, a query is the title of a document or a sentence of its text.
The sentence is then removed from the document (the inverse cloze task, Lee et al., 2019). In the
second, a language model writes a query for a document. The prompt has examples of documents and
their queries (SPTAR, Peng et al., 2023, without the tuned prompt).

A query is kept only if its document is among the first `TOP` results of BM25 for the query.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core import Document
from ..llm import GenerativeModel, Sampling
from .lexical import Search
from .queries import TrainingQuery

WORDS = (4, 40)
"""Minimum and maximum number of words of a query."""
LEFT = 20
"""Minimum number of words that a document must have without the query's title or sentence."""
TOP = 30
"""A query is kept if BM25 ranks its document here or better. The value of SPTAR for MS MARCO."""
TRIES = 3
EXAMPLE_WORDS = 120
"""Maximum number of words of a document in the prompt; the rest is cut off."""

_SENTENCE = re.compile(r"(?<![^.!?])[^.!?]++[.!?]+")


def queries_from_texts(documents: Sequence[Document], count: int, seed: int) -> list[TrainingQuery]:
    """Return at most `count` titles and sentences of documents as queries.

    Half of the queries are titles, if there are enough. A document gives at most one title and one
    sentence. Equal seeds give equal queries.
    """
    rng = np.random.default_rng([seed, 2])
    order = [documents[i] for i in rng.permutation(len(documents)).tolist()]
    titles = [query for document in order if (query := _title(document))]
    sentences = [query for document in order if (query := _sentence(document, rng))]
    half = min(len(titles), max(count // 2, count - len(sentences)))
    return [*titles[:half], *sentences[: count - half]]


def write_queries(
    model: GenerativeModel,
    documents: Sequence[Document],
    examples: Sequence[tuple[Document, str]],
    count: int,
    seed: int,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> list[TrainingQuery]:
    """Return queries that a language model writes for at most `count` random documents, one each.

    examples: documents with one query each, for the prompt. No query is written for these
              documents.
    advance:  function called with 1 before each document, to report progress.

    Only the first line of the model's answer is used. If this line is too short or too long for a
    query, the model is called again with another seed, at most `TRIES` times in all.
    """
    rng = np.random.default_rng([seed, 3])
    chosen = [documents[i] for i in rng.permutation(len(documents))[:count].tolist()]
    shown = {document.id for document, _ in examples}
    found = []
    for document in chosen:
        advance(1)
        if document.id in shown:
            continue
        for attempt in range(TRIES):
            sampling = Sampling(
                max_tokens=48, stop=("\n",), temperature=0.0 if not attempt else 0.7, seed=attempt
            )
            (completion,) = model.generate([prompt(document, examples)], sampling)
            text = " ".join(completion.text.partition("\n")[0].split())
            if _fits(text):
                found.append(
                    TrainingQuery(f"written:{document.id}", text, (document.id,), "written")
                )
                break
    return found


def cached_queries(
    folder: Path, identity: str, make: Callable[[], list[TrainingQuery]]
) -> list[TrainingQuery]:
    """Return the queries stored in `folder`, or call `make` and store its result there.

    An interrupted training run can then resume without writing the queries again. Writing takes
    long.

    identity: digest that identifies the training run. Queries of another run are not used.
    make:     function that lets a language model write the queries.
    """
    file = folder / "written.json"
    if file.is_file():
        known = json.loads(file.read_text())
        if known["identity"] == identity:
            return [
                TrainingQuery(f"written:{document}", text, (document,), "written")
                for document, text in known["queries"]
            ]
    found = make()
    folder.mkdir(parents=True, exist_ok=True)
    value = {"identity": identity, "queries": [[q.positives[0], q.text] for q in found]}
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(value))
    partial.replace(file)
    return found


def prompt(document: Document, examples: Sequence[tuple[Document, str]]) -> str:
    """Return the prompt as in SPTAR: the examples, then the document to write a query for."""
    shown = "".join(f"Document: {_short(d)}\nRelevant Query: {text}\n\n" for d, text in examples)
    return f"{shown}Document: {_short(document)}\nRelevant Query:"


def findable(
    queries: Sequence[TrainingQuery], search: Search, top: int = TOP
) -> list[TrainingQuery]:
    """Return the queries that have one of their positives among the first `top` results.

    search: function that returns the ids of the best documents for each query.
    """
    ranked = search([query.text for query in queries], top)
    return [
        query
        for query, ids in zip(queries, ranked, strict=True)
        if not set(query.positives).isdisjoint(ids)
    ]


def _title(document: Document) -> TrainingQuery | None:
    """Return the title of a document as a query.

    Returns None if the title is too short or too long for a query, or the text is too short.
    """
    if not _fits(document.title) or len(document.text.split()) < LEFT:
        return None
    text = " ".join(document.title.split()).rstrip(".")
    return TrainingQuery(f"title:{document.id}", text, (document.id,), "title")


def _sentence(document: Document, rng: np.random.Generator) -> TrainingQuery | None:
    """Return a random sentence of a document as a query; None if no sentence is suitable."""
    sentences = [text for text in _SENTENCE.findall(document.text) if _fits(text)]
    if not sentences:
        return None
    sentence = sentences[int(rng.integers(len(sentences)))]
    if len(document.text.split()) - len(sentence.split()) < LEFT:
        return None
    query = TrainingQuery(f"sentence:{document.id}", sentence.strip(), (document.id,), "sentence")
    return replace(query, removed=sentence)


def _fits(text: str) -> bool:
    return WORDS[0] <= len(text.split()) <= WORDS[1]


def _short(document: Document) -> str:
    words = f"{document.title} {document.text}".split()
    return " ".join(words[:EXAMPLE_WORDS])
