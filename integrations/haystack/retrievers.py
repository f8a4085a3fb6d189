"""Haystack components that search a document store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.document_stores.types import FilterPolicy, apply_filter_policy

from ...core.errors import InvalidInputError, shown
from .. import contents, operations
from ..contents import Content
from ..steps import Steps, run, run_async
from .document_store import TwindexDocumentStore
from .documents import of_hit
from .filters import to_filter


class _Retriever:
    """What both retrievers share: their arguments, and the search."""

    def __init__(
        self,
        document_store: TwindexDocumentStore,
        *,
        filters: dict[str, Any] | None = None,
        filter_policy: str | FilterPolicy = FilterPolicy.REPLACE,
        top_k: int = 10,
        content: Content = "passage",
        legs: Sequence[Any] = (),
        fusion: Any = None,
        rerank: Mapping[str, Any] | None = None,
        min_score: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Create the component.

        document_store: the documents to search.
        filters:    filters of Haystack.
        filter_policy: whether filters of a run replace `filters` or are merged with them.
        top_k:      number of documents to return.
        content:    text to return: "passage" (the best passage), "context" (the passage with its
                    neighbours; set `neighbours` in `options`) or "document".
        legs:       legs to search, as in a SearchRequest. Empty: all legs.
        fusion:     how the legs' lists are fused. None: the default of a SearchRequest.
        rerank:     reranking by the collection, such as {"model": "fast"}. None: no reranking.
        min_score:  minimum fused score. None: no minimum.
        options:    other fields of a SearchRequest, such as {"feedback": "rm3"}.
        """
        if not isinstance(document_store, TwindexDocumentStore):
            raise InvalidInputError(
                f"must be a TwindexDocumentStore, got {shown(document_store)}",
                field="document_store",
            )
        contents.check_content(content)
        to_filter(filters)
        self.document_store = document_store
        self.filters = filters
        self.filter_policy = (
            FilterPolicy.from_str(filter_policy)
            if isinstance(filter_policy, str)
            else filter_policy
        )
        self.top_k = top_k
        self.content = content
        self.legs = list(legs)
        self.fusion = fusion
        self.rerank = rerank
        self.min_score = min_score
        self.options = dict(options or {})

    def close(self) -> None:
        """Close the document store. A later use opens it again."""
        self.document_store.close()

    def to_dict(self) -> dict[str, Any]:
        """Return the component as a dictionary, which a saved pipeline contains."""
        return default_to_dict(
            self,
            document_store=self.document_store,
            filters=self.filters,
            filter_policy=self.filter_policy.value,
            top_k=self.top_k,
            content=self.content,
            legs=self.legs,
            fusion=self.fusion,
            rerank=self.rerank,
            min_score=self.min_score,
            options=self.options,
        )

    def _steps(
        self,
        query: str | None,
        embedding: list[float] | None,
        filters: dict[str, Any] | None,
        top_k: int | None,
    ) -> Steps[dict[str, list[Document]]]:
        vectors = None
        if embedding is not None:
            leg = self.document_store.embedding_leg
            if leg is None:
                raise InvalidInputError(
                    "set `embedding_leg` of the document store, the dense leg that searches "
                    "embeddings",
                    field="query_embedding",
                )
            vectors = {leg: embedding}
        merged = apply_filter_policy(self.filter_policy, self.filters, filters)
        own = {
            "filter": to_filter(merged),
            "legs": self.legs or None,
            "fusion": self.fusion,
            "rerank": self.rerank,
            "min_score": self.min_score,
        }
        result = yield from operations.search(
            query,
            {**self.options, **{k: v for k, v in own.items() if v is not None}},
            limit=self.top_k if top_k is None else top_k,
            limited_by="top_k",
            vectors=vectors,
        )
        return {"documents": [of_hit(hit, self.content) for hit in result]}


@component
class TwindexRetriever(_Retriever):
    """Retrieves passages for the text of a query.

    With `query_embedding`, the dense leg `embedding_leg` of the document store searches this
    vector, and the other legs search the text.

    The id of a returned document is the id of the stored document. Its `meta` is that of the stored
    document, with the title as `title`, and the details of the hit as `twindex`: `score`, `legs`,
    `start`, `end`, `page`, `headings` and `rerank`.
    """

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TwindexRetriever:
        """Return the component that `to_dict` described."""
        found: TwindexRetriever = default_from_dict(cls, data)
        return found

    @component.output_types(documents=list[Document])
    def run(
        self,
        query: str,
        query_embedding: list[float] | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Return the best documents, as `documents`."""
        return run(
            self.document_store.collection, self._steps(query, query_embedding, filters, top_k)
        )

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        query: str,
        query_embedding: list[float] | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Return the best documents, as `documents`."""
        return await run_async(
            self.document_store.collection, self._steps(query, query_embedding, filters, top_k)
        )


@component
class TwindexEmbeddingRetriever(_Retriever):
    """Retrieves passages for the embedding of a query, in `embedding_leg` of the document store.

    The returned documents are like those of `TwindexRetriever`.
    """

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TwindexEmbeddingRetriever:
        """Return the component that `to_dict` described."""
        found: TwindexEmbeddingRetriever = default_from_dict(cls, data)
        return found

    @component.output_types(documents=list[Document])
    def run(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Return the best documents, as `documents`."""
        return run(
            self.document_store.collection, self._steps(None, query_embedding, filters, top_k)
        )

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Return the best documents, as `documents`."""
        return await run_async(
            self.document_store.collection, self._steps(None, query_embedding, filters, top_k)
        )
