"""Queries made from documents, for which no judgements are needed.

Without a model: the title of a document, which is then left out of it; and a sentence cut out of
its text (the inverse cloze task, Lee et al., 2019). With a language model: what it writes when it
is shown examples of documents and their queries (SPTAR, Peng et al., 2023, without its tuned
prompt). All are kept only if BM25 finds the document among the first `top`.
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
"""Words that a title or a sentence must have to be a query, at least and at most."""
LEFT = 20
"""Words that must be left of a document without its title or sentence."""
TOP = 30
"""Rank up to which BM25 must find the document: k of SPTAR for MS MARCO."""
TRIES = 3
EXAMPLE_WORDS = 120
"""Of a document in the prompt."""

_SENTENCE = re.compile(r"(?<![^.!?])[^.!?]++[.!?]+")


def from_texts(documents: Sequence[Document], count: int, seed: int) -> list[TrainingQuery]:
    """Titles and sentences of documents, at most `count`, half of each where there are so many.

    A document gives at most one of each. The same seed gives the same queries.
    """
    rng = np.random.default_rng([seed, 2])
    order = [documents[i] for i in rng.permutation(len(documents)).tolist()]
    titles = [query for document in order if (query := _title(document))]
    sentences = [query for document in order if (query := _sentence(document, rng))]
    half = min(len(titles), max(count // 2, count - len(sentences)))
    return [*titles[:half], *sentences[: count - half]]


def written(
    model: GenerativeModel,
    documents: Sequence[Document],
    examples: Sequence[tuple[Document, str]],
    count: int,
    seed: int,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> list[TrainingQuery]:
    """Queries that a language model writes for `count` documents, at most.

    examples: documents with a query each, shown in the prompt. Only the first line of what is
    written counts; where that is no query the model is asked again, with another seed, up to
    `TRIES` times.
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


def kept(
    folder: Path, identity: str, make: Callable[[], list[TrainingQuery]]
) -> list[TrainingQuery]:
    """What `make` gave when a training of that identity was in this folder before, else what it
    gives now: queries that a model writes take long."""
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
    """SPTAR's prompt: each example, then the document whose query is wanted."""
    shown = "".join(f"Document: {_short(d)}\nRelevant Query: {text}\n\n" for d, text in examples)
    return f"{shown}Document: {_short(document)}\nRelevant Query:"


def found_again(
    queries: Sequence[TrainingQuery], search: Search, top: int = TOP
) -> list[TrainingQuery]:
    """The queries for which the search has their document among the first `top`."""
    ranked = search([query.text for query in queries], top)
    return [
        query
        for query, ids in zip(queries, ranked, strict=True)
        if not set(query.positives).isdisjoint(ids)
    ]


def _title(document: Document) -> TrainingQuery | None:
    if not _fits(document.title) or len(document.text.split()) < LEFT:
        return None
    text = " ".join(document.title.split()).rstrip(".")
    return TrainingQuery(f"title:{document.id}", text, (document.id,), "title")


def _sentence(document: Document, rng: np.random.Generator) -> TrainingQuery | None:
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
