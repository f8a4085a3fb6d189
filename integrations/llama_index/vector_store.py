"""A LlamaIndex vector store that keeps its nodes in a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.bridge.pydantic import Field
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from ...core.errors import InvalidInputError, UnsupportedError
from ...core.results import SearchResult
from .. import operations
from ..conditions import joined
from ..steps import Steps, check_collection, run, run_async
from .filters import to_filter
from .nodes import of_stored, to_fields

_TEXT = (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE)
_HYBRID = (VectorStoreQueryMode.HYBRID, VectorStoreQueryMode.SEMANTIC_HYBRID)
_REFUSED = ("output_fields", "embedding_field", "mmr_threshold", "sparse_top_k")
"""Fields of a query that a collection cannot follow."""


class TwindexVectorStore(BasePydanticVectorStore):
    """Stores nodes in a collection and searches them.

    collection: a `twindex.Collection`, or a collection of `Client` or `AsyncClient`. With a
                collection of `AsyncClient`, only asynchronous methods work.
    leg:        dense leg that stores the embeddings of nodes. Its encoder may be of the kind
                "external". None: the encoders of the collection read nodes and queries, and nodes
                with embeddings are refused.
    text_leg:   leg that the query modes "text_search" and "sparse" search, and that `alpha` of
                the mode "hybrid" weighs against `leg`. None: these are refused.
    options:    fields of every SearchRequest, such as {"rerank": {"model": "fast"}}.

    Query modes: "default" searches the embedding in `leg`, or the text in all legs if there is no
    `leg`. "hybrid" and "semantic_hybrid" search the embedding in `leg` and the text in the other
    legs. Others raise UnsupportedError.
    """

    stores_text: bool = True
    is_embedding_query: bool = True
    collection: Any = Field(exclude=True, repr=False)
    leg: str | None = None
    text_leg: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    def __init__(
        self,
        collection: Any,
        *,
        leg: str | None = None,
        text_leg: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """See the class for the arguments."""
        super().__init__(  # type: ignore[call-arg]
            collection=check_collection(collection),
            leg=leg,
            text_leg=text_leg,
            options=dict(options or {}),
            is_embedding_query=leg is not None,
        )

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class in serialised data."""
        return "TwindexVectorStore"

    @property
    def client(self) -> Any:
        """The collection."""
        return self.collection

    # -- writing -----------------------------------------------------------------------------

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Insert nodes, and replace stored nodes with the same ids. Return the ids."""
        _refuse(kwargs)
        run(self.collection, operations.write(to_fields(nodes, self.leg)))
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Insert nodes. See `add`."""
        _refuse(kwargs)
        await run_async(self.collection, operations.write(to_fields(nodes, self.leg)))
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a source document."""
        _refuse(delete_kwargs)
        run(self.collection, operations.delete_where({"ref_doc_id": ref_doc_id}))

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a source document."""
        _refuse(delete_kwargs)
        await run_async(self.collection, operations.delete_where({"ref_doc_id": ref_doc_id}))

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Delete the nodes with these ids that meet the filters.

        Raises InvalidInputError without ids and filters; `clear` deletes everything.
        """
        _refuse(delete_kwargs)
        run(self.collection, _deletion(node_ids, filters))

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Delete nodes. See `delete_nodes`."""
        _refuse(delete_kwargs)
        await run_async(self.collection, _deletion(node_ids, filters))

    def clear(self) -> None:
        """Delete all documents of the collection."""
        run(self.collection, operations.delete_all())

    async def aclear(self) -> None:
        """Delete all documents of the collection."""
        await run_async(self.collection, operations.delete_all())

    # -- reading -----------------------------------------------------------------------------

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Return the nodes with these ids that meet the filters, in ascending order of id.

        Without ids and filters, returns all nodes. Embeddings are not returned.
        """
        return run(self.collection, _nodes(node_ids, filters))

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Return nodes. See `get_nodes`."""
        return await run_async(self.collection, _nodes(node_ids, filters))

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Return the best nodes and their scores; a higher score is better."""
        return run(self.collection, self._steps(query, kwargs))

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Return the best nodes and their scores; a higher score is better."""
        return await run_async(self.collection, self._steps(query, kwargs))

    def _steps(
        self, query: VectorStoreQuery, given: Mapping[str, Any]
    ) -> Steps[VectorStoreQueryResult]:
        for name in _REFUSED:
            if getattr(query, name) is not None:
                raise InvalidInputError("cannot be followed; remove it", field=name)
        limit, limited_by = query.similarity_top_k, "similarity_top_k"
        if query.hybrid_top_k is not None and query.mode in _HYBRID:
            limit, limited_by = query.hybrid_top_k, "hybrid_top_k"
        # VectorStoreIndex passes an empty list for a vector store that stores texts.
        ids = {"id": {"in": query.node_ids}} if query.node_ids else None
        of = {"ref_doc_id": {"in": query.doc_ids}} if query.doc_ids else None
        own = {"filter": joined(to_filter(query.filters), ids, of), **self._legs(query)}
        fields = {**self.options, **{k: v for k, v in own.items() if v is not None}, **given}
        vectors = None
        if query.query_embedding is not None and query.mode not in _TEXT:
            vectors = {self._required("leg", query): query.query_embedding}
        result: SearchResult = yield from operations.search(
            query.query_str, fields, limit=limit, limited_by=limited_by, vectors=vectors
        )
        nodes = [of_stored(hit.document) for hit in result if hit.document is not None]
        return VectorStoreQueryResult(
            nodes=nodes,
            similarities=[hit.score for hit in result],
            ids=[node.node_id for node in nodes],
        )

    def _legs(self, query: VectorStoreQuery) -> dict[str, Any]:
        """Return the field `legs` of the search. Raises UnsupportedError for an unknown mode."""
        if query.alpha is not None and query.mode not in _HYBRID:
            raise InvalidInputError("applies to the mode 'hybrid' only; remove it", field="alpha")
        if query.mode in _TEXT:
            return {"legs": [self._required("text_leg", query)]}
        if query.mode in _HYBRID:
            if query.alpha is None:
                return {}
            dense, text = self._required("leg", query), self._required("text_leg", query)
            weights = {dense: query.alpha, text: 1 - query.alpha}
            return {"legs": [{"name": leg, "weight": weight} for leg, weight in weights.items()]}
        if query.mode != VectorStoreQueryMode.DEFAULT:
            raise UnsupportedError(
                f"the query mode {query.mode.value!r} is not supported; use 'default', 'hybrid' or "
                "'text_search', or a reranker of the kind mmr in `options`"
            )
        return {} if query.query_embedding is None else {"legs": [self._required("leg", query)]}

    def _required(self, name: str, query: VectorStoreQuery) -> str:
        leg: str | None = getattr(self, name)
        if leg is None:
            raise InvalidInputError(
                f"a query in the mode {query.mode.value!r} needs it; set `{name}` of the vector "
                "store",
                field=name,
            )
        return leg


def _nodes(ids: Sequence[str] | None, filters: MetadataFilters | None) -> Steps[list[BaseNode]]:
    if ids is not None and filters is None:
        found = yield from operations.read(ids)
        return [of_stored(one) for one in sorted(found, key=lambda one: one.id)]
    among = None if ids is None else {"id": {"in": list(ids)}}
    found = yield from operations.list_all(joined(among, to_filter(filters)))
    return [of_stored(one) for one in found]


def _deletion(ids: Sequence[str] | None, filters: MetadataFilters | None) -> Steps[None]:
    condition = to_filter(filters)
    if ids is None and condition is None:
        raise InvalidInputError(
            "pass `node_ids` or `filters`; `clear` deletes everything", field="node_ids"
        )
    if condition is None:
        yield from operations.delete(list(ids or ()))
    else:
        among = None if ids is None else {"id": {"in": list(ids)}}
        yield from operations.delete_where(joined(among, condition) or condition)


def _refuse(given: Mapping[str, Any]) -> None:
    for name in given:
        raise InvalidInputError("is not an argument of this method; remove it", field=name)
