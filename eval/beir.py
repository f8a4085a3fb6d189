"""Evaluation sets in BEIR's folder layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..core import Document, Qrels, Query, SourceError
from ..sources import read_jsonl_documents, read_qrels, read_queries


@dataclass(frozen=True, slots=True)
class BeirDataset:
    """`corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv` of one folder, or their `.gz`.

        dataset = BeirDataset.open("scifact")
        print(len(dataset.queries), next(dataset.documents()).title)

    queries: those with judgements in the split, in the order of the file.
    """

    corpus: Path
    queries: list[Query]
    qrels: Qrels

    @classmethod
    def open(cls, folder: Path | str, split: str = "test") -> Self:
        """Read queries and judgements. Raises SourceError for a file that is missing or wrong."""
        folder = Path(folder)
        qrels = read_qrels(_file(folder, f"qrels/{split}.tsv"))
        queries = judged_queries(read_queries(_file(folder, "queries.jsonl")), qrels)
        return cls(corpus=_file(folder, "corpus.jsonl"), queries=queries, qrels=qrels)

    def documents(self) -> Iterator[Document]:
        """The documents, read anew at each call."""
        return read_jsonl_documents(self.corpus)


def judged_queries(queries: list[Query], qrels: Qrels) -> list[Query]:
    """The queries that have judgements; the others would change no measure."""
    return [query for query in queries if query.id in qrels]


def _file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise SourceError(f"no such file (nor {Path(name).name}.gz)", path=folder / name)
