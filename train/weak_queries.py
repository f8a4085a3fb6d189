"""Queries generated from documents, which require no judgements.

Without a model, a query is the title of a document or one of its sentences (the inverse cloze task,
Lee et al., 2019). The title or sentence is then removed from the document. A language model writes
a query after examples of documents and their queries (SPTAR, Peng et al., 2023, without its tuned
prompt). A query is kept only if BM25 finds the document it was generated
from among its first `top` results.
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
"""Least and most words of a title or sentence that is used as a query."""
LEFT = 20
"""Least words of a document without the title or sentence that is used as a query."""
TOP = 30
"""Lowest BM25 rank at which the document must be found: k of SPTAR for MS MARCO."""
TRIES = 3
EXAMPLE_WORDS = 120
"""Number of words of a document in the prompt."""

_SENTENCE = re.compile(r"(?<![^.!?])[^.!?]++[.!?]+")


def queries_from_texts(documents: Sequence[Document], count: int, seed: int) -> list[TrainingQuery]:
    """Return at most `count` titles and sentences of documents as queries.

    Half of them are titles, if possible. A document yields at most one title and one sentence.
    Equal seeds give equal queries.
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
    """Let a language model write one query for each of at most `count` random documents.

    examples: documents with one query each, for the prompt. No query is written for them.

    Only the first line of the model's answer is used. If it is too short or too long for a query,
    the model is called again with another seed. It is called at most `TRIES` times for a document.
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
    """Return the queries that `folder` stores for this training, or else the result of `make`.

    The result of `make` is stored, because a language model takes long to write queries.

    identity: digest that identifies the training.
    make:     lets a language model write the queries.
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
    """Return SPTAR's prompt: the examples, then the document that needs a query."""
    shown = "".join(f"Document: {_short(d)}\nRelevant Query: {text}\n\n" for d, text in examples)
    return f"{shown}Document: {_short(document)}\nRelevant Query:"


def findable(
    queries: Sequence[TrainingQuery], search: Search, top: int = TOP
) -> list[TrainingQuery]:
    """Return the queries that find a document that answers them in the first `top` results."""
    ranked = search([query.text for query in queries], top)
    return [
        query
        for query, ids in zip(queries, ranked, strict=True)
        if not set(query.positives).isdisjoint(ids)
    ]


def _title(document: Document) -> TrainingQuery | None:
    """Return a document's title as a query.

    Returns None if the title is too short or too long, or if the document's text is too short.
    """
    if not _fits(document.title) or len(document.text.split()) < LEFT:
        return None
    text = " ".join(document.title.split()).rstrip(".")
    return TrainingQuery(f"title:{document.id}", text, (document.id,), "title")


def _sentence(document: Document, rng: np.random.Generator) -> TrainingQuery | None:
    """Return a random sentence of a document as a query, or None if there is no suitable one."""
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
