"""BM25 over the documents that are trained on: where candidates and hard negatives come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ..core import Document
from ..core.closing import Closing
from ..encoders import AnalyzerConfig, PassageConfig
from ..index import CollectionConfig, LexicalLeg
from ..search import Collection, SearchRequest

BATCH = 256
ADDED = 2_000

Search = Callable[[Sequence[str], int], list[list[str]]]
"""(texts of queries, depth) -> ids of documents for each, best first."""


class LexicalSearch(Closing):
    """A collection with a BM25 leg only, in a folder that is removed at the end."""

    def __init__(
        self, documents: Sequence[Document], analyzer: AnalyzerConfig | None = None
    ) -> None:
        self._folder = TemporaryDirectory(prefix="twindex-train-")
        config = CollectionConfig(
            legs={"lexical": LexicalLeg(encoder=analyzer or AnalyzerConfig())},
            passages=PassageConfig(unit="none"),
        )
        self._engine = Collection.create(Path(self._folder.name) / "documents", config)
        for begin in range(0, len(documents), ADDED):
            self._engine.add(documents[begin : begin + ADDED])

    def search(self, queries: Sequence[str], depth: int) -> list[list[str]]:
        """Ids of the best documents for each query, at most `depth`; fewer where fewer match."""
        found: list[list[str]] = []
        for begin in range(0, len(queries), BATCH):
            requests = [
                SearchRequest(query=text, limit=depth, depth=depth, include=())
                for text in queries[begin : begin + BATCH]
            ]
            results = self._engine.search_batch(requests)
            found.extend([hit.id for hit in result.hits] for result in results)
        return found

    def close(self) -> None:
        self._engine.close()
        self._folder.cleanup()
