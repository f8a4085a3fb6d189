"""Reads data sets in the folder layout of BEIR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ..core import Document, Qrels, Query, SourceError
from ..sources import read_answers, read_jsonl_documents, read_qrels, read_queries

ANSWERS = "answers.jsonl"


@dataclass(frozen=True, slots=True)
class BeirDataset:
    """A data set in a folder: `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`.

    Each file may be compressed (`.gz`). A data set of questions also has `answers.jsonl`, see
    `twindex.sources.read_answers`.

        dataset = BeirDataset.open("scifact")
        print(len(dataset.queries), next(dataset.documents()).title)

    corpus:  path of `corpus.jsonl`, the file of the documents.
    queries: the queries that have judgements in the split, in the order of `queries.jsonl`.
    qrels:   the judgements of the split: query id -> document id -> grade.
    answers: query id -> gold answers, of all splits; an empty sequence for a question that has no
             answer. Empty without `answers.jsonl`.
    unanswerable: the queries without judgements and without gold answers. They belong to every
             split.
    """

    corpus: Path
    queries: list[Query]
    qrels: Qrels
    answers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unanswerable: Sequence[Query] = ()

    @classmethod
    def open(cls, folder: Path | str, split: str = "test") -> Self:
        """Read queries and judgements. Raises SourceError for a missing or invalid file."""
        folder = Path(folder)
        qrels = read_qrels(_file(folder, f"qrels/{split}.tsv"))
        every = read_queries(_file(folder, "queries.jsonl"))
        answers = {}
        if any((folder / name).is_file() for name in (ANSWERS, f"{ANSWERS}.gz")):
            answers = read_answers(_file(folder, ANSWERS))
        return cls(
            corpus=_file(folder, "corpus.jsonl"),
            queries=judged_queries(every, qrels),
            qrels=qrels,
            answers=answers,
            unanswerable=[
                query for query in every if query.id not in qrels and answers.get(query.id) == ()
            ],
        )

    def documents(self) -> Iterator[Document]:
        """Yield the documents. Each call reads the file again."""
        return read_jsonl_documents(self.corpus)


def judged_queries(queries: list[Query], qrels: Qrels) -> list[Query]:
    """Return the queries that have judgements. Measures ignore the other queries."""
    return [query for query in queries if query.id in qrels]


def _file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    message = (
        f"no such file, and no {Path(name).name}.gz; a BEIR data set is a folder with "
        "corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv"
    )
    raise SourceError(message, path=folder / name)
