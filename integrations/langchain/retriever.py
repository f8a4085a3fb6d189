"""A LangChain retriever that searches a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field, field_validator

from ...core.results import SearchResult
from .. import contents, operations
from ..contents import Content
from ..steps import Steps, check_collection, run, run_async
from .documents import of_hit
from .filters import to_filter


class TwindexRetriever(BaseRetriever):
    """Retrieves passages of a collection.

    collection: a `twindex.Collection`, or a collection of `Client` or `AsyncClient`. With a
                collection of `AsyncClient`, only asynchronous methods work, such as `ainvoke`.
    k:          number of documents to return.
    content:    text to return: "passage" (the best passage), "context" (the passage with its
                neighbours; set `neighbours` in `options`) or "document".
    filter:     a Twindex filter, or a Comparison or Operation of
                `langchain_core.structured_query`.
    legs:       legs to search, as in a SearchRequest. Empty: all legs.
    fusion:     how the legs' lists are fused, as in a SearchRequest. None: the default.
    rerank:     reranking by the collection, such as {"model": "fast"}. None: no reranking.
    min_score:  minimum fused score. None: no minimum.
    options:    other fields of a SearchRequest, such as {"feedback": "rm3"}.

    `invoke` accepts `k`, `content` and the fields of a SearchRequest as keyword arguments. They
    replace the retriever's own values. A keyword that is no such field raises InvalidInputError.

    The id of a returned document is the id of the stored document. Its metadata are those of the
    stored document, its title as `title`, and the details of the hit as `twindex`: `score`, `legs`,
    `start`, `end`, `page`, `headings` and `rerank`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    collection: Any = Field(repr=False)
    k: int = 10
    content: Content = "passage"
    filter: Any = None
    legs: Sequence[Any] = ()
    fusion: Any = None
    rerank: Mapping[str, Any] | None = None
    min_score: float | None = None
    options: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("collection")
    @classmethod
    def _is_collection(cls, value: Any) -> Any:
        return check_collection(value)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **given: Any
    ) -> list[Document]:
        return run(self.collection, self._steps(query, given))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **given: Any
    ) -> list[Document]:
        return await run_async(self.collection, self._steps(query, given))

    def _steps(self, query: str, given: Mapping[str, Any]) -> Steps[list[Document]]:
        own = {
            "filter": self.filter,
            "legs": self.legs or None,
            "fusion": self.fusion,
            "rerank": self.rerank,
            "min_score": self.min_score,
        }
        fields = {**self.options, **{k: v for k, v in own.items() if v is not None}, **given}
        limit = fields.pop("k", self.k)
        content = fields.pop("content", self.content)
        contents.check_content(content)
        fields["filter"] = to_filter(fields.get("filter"))
        result: SearchResult = yield from operations.search(
            query, fields, limit=limit, limited_by="k"
        )
        return [of_hit(hit, content) for hit in result]
