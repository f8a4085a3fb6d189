"""BM25 search in the training documents, to find candidates and hard negatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ..core import Document
from ..core.closing import Closing
from ..encoders import AnalyzerConfig, PassageConfig
from ..index import CollectionConfig, LexicalLeg
from ..search import Collection, SearchRequest

SEARCH_BATCH = 256
ADD_BATCH = 2_000

Search = Callable[[Sequence[str], int], list[list[str]]]
"""A search function: (query texts, depth) -> for each query, at most depth ids, best first."""


class LexicalSearch(Closing):
    """BM25 search in documents. The index is in a temporary folder, which `close` removes."""

    def __init__(
        self, documents: Sequence[Document], analyzer: AnalyzerConfig | None = None
    ) -> None:
        self._folder = TemporaryDirectory(prefix="twindex-train-")
        config = CollectionConfig(
            legs={"lexical": LexicalLeg(encoder=analyzer or AnalyzerConfig())},
            passages=PassageConfig(unit="none"),
        )
        self._engine = Collection.create(Path(self._folder.name) / "documents", config)
        for begin in range(0, len(documents), ADD_BATCH):
            self._engine.add(documents[begin : begin + ADD_BATCH])

    def search(self, queries: Sequence[str], depth: int) -> list[list[str]]:
        """Return for each query the ids of the best `depth` documents, best first."""
        found: list[list[str]] = []
        for begin in range(0, len(queries), SEARCH_BATCH):
            requests = [
                SearchRequest(query=text, limit=depth, depth=depth, include=())
                for text in queries[begin : begin + SEARCH_BATCH]
            ]
            results = self._engine.search_batch(requests)
            found.extend([hit.id for hit in result.hits] for result in results)
        return found

    def close(self) -> None:
        self._engine.close()
        self._folder.cleanup()
