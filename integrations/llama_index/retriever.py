"""A LlamaIndex retriever that searches a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle

from ...core.errors import InvalidInputError
from ...core.results import SearchResult
from .. import contents, operations
from ..contents import Content
from ..steps import Steps, check_collection, run, run_async
from .filters import to_filter
from .nodes import of_hit


class TwindexRetriever(BaseRetriever):
    """Retrieves passages of a collection as nodes.

    The id of a node is `ID#START-END` for a passage, and the document's id for a whole document.
    The document is the node's source: `node.ref_doc_id` is its id. The metadata are those of the
    document, its title as `title`, and the details of the hit as `twindex`: `score`, `legs`,
    `start`, `end`, `page`, `headings` and `rerank`. Prompts do not contain the details.
    """

    def __init__(
        self,
        collection: Any,
        *,
        similarity_top_k: int = 10,
        content: Content = "passage",
        filters: Any = None,
        legs: Sequence[Any] = (),
        fusion: Any = None,
        rerank: Mapping[str, Any] | None = None,
        min_score: float | None = None,
        leg: str | None = None,
        options: Mapping[str, Any] | None = None,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
    ) -> None:
        """Create a retriever.

        collection: a `twindex.Collection`, or a collection of `Client` or `AsyncClient`. With a
                    collection of `AsyncClient`, only asynchronous methods work, such as
                    `aretrieve`.
        similarity_top_k: number of nodes to return.
        content:    text to return: "passage" (the best passage), "context" (the passage with its
                    neighbours; set `neighbours` in `options`) or "document".
        filters:    MetadataFilters, or a Twindex filter.
        legs:       legs to search, as in a SearchRequest. Empty: all legs.
        fusion:     how the legs' lists are fused. None: the default of a SearchRequest.
        rerank:     reranking by the collection, such as {"model": "fast"}. None: no reranking.
        min_score:  minimum fused score. None: no minimum.
        leg:        dense leg that searches the embedding of a query bundle. None: a query bundle
                    with an embedding raises InvalidInputError.
        options:    other fields of a SearchRequest, such as {"feedback": "rm3"}.
        """
        contents.check_content(content)
        own = {
            "filter": to_filter(filters),
            "legs": list(legs) or None,
            "fusion": fusion,
            "rerank": rerank,
            "min_score": min_score,
        }
        self._collection = check_collection(collection)
        self._limit = similarity_top_k
        self._content = content
        self._leg = leg
        self._fields = {**(options or {}), **{k: v for k, v in own.items() if v is not None}}
        super().__init__(callback_manager=callback_manager, verbose=verbose)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return run(self._collection, self._steps(query_bundle))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await run_async(self._collection, self._steps(query_bundle))

    def _steps(self, bundle: QueryBundle) -> Steps[list[NodeWithScore]]:
        if bundle.image_path is not None:
            raise InvalidInputError("only texts are searched; remove it", field="image_path")
        if bundle.custom_embedding_strs not in (None, [], [bundle.query_str]):
            raise InvalidInputError(
                "the collection encodes the query itself; use `rewrite` of a SearchRequest in "
                "`options`, or pass the embedding of these texts and set `leg`",
                field="custom_embedding_strs",
            )
        vectors = None
        if bundle.embedding is not None:
            if self._leg is None:
                raise InvalidInputError(
                    "set `leg` of the retriever, the dense leg that searches embeddings",
                    field="embedding",
                )
            vectors = {self._leg: bundle.embedding}
        result: SearchResult = yield from operations.search(
            bundle.query_str,
            self._fields,
            limit=self._limit,
            limited_by="similarity_top_k",
            vectors=vectors,
        )
        return [NodeWithScore(node=of_hit(hit, self._content), score=hit.score) for hit in result]
