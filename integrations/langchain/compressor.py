"""A LangChain document compressor that reranks documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, PrivateAttr

from ..contents import DETAILS, TITLE
from ..reranking import Reranking, Scored


class TwindexReranker(BaseDocumentCompressor):
    """Reranks documents with a reranker of Twindex.

    reranker:   a Reranker object, such as `RerankerConfig.load()` returns, or a Client or
                AsyncClient. With an AsyncClient, only `acompress_documents` works.
    model:      name of a reranker of the service. Required for a client, and refused for a Reranker
                object.
    top_n:      maximum number of documents to return. None: all.
    timeout_ms: time limit in milliseconds. None: no limit.
    calls:      maximum number of prompts or pairs that models read. None: no limit.
    tokens:     maximum number of tokens that models read and write. None: no limit.
    on_error:   "fail" raises the error of a model; "keep" returns the documents in their order.

    A returned document is a copy. Its metadata have the entry `relevance_score`. Documents that
    were not read because a limit was reached follow the others, with the entry
    `{"twindex": {"judged": False}}`.
    """

    model_config = ConfigDict(extra="forbid")

    reranker: Any = Field(repr=False)
    model: str | None = None
    top_n: int | None = None
    timeout_ms: float | None = None
    calls: int | None = None
    tokens: int | None = None
    on_error: Literal["fail", "keep"] = "fail"
    _reranking: Reranking = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Check the fields together."""
        self._reranking = Reranking.of(self)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Return the documents in the order of their new scores."""
        return _ordered(documents, self._reranking.run(query, _texts(documents)))

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Return the documents in the order of their new scores."""
        return _ordered(documents, await self._reranking.run_async(query, _texts(documents)))


def _texts(documents: Sequence[Document]) -> list[dict[str, str]]:
    found = []
    for document in documents:
        title = document.metadata.get(TITLE)
        found.append(
            {"text": document.page_content, "title": title if isinstance(title, str) else ""}
        )
    return found


def _ordered(documents: Sequence[Document], scored: Sequence[Scored]) -> list[Document]:
    found = []
    for one in scored:
        document = documents[one.index]
        metadata = {**document.metadata, "relevance_score": one.score}
        if not one.judged:
            metadata[DETAILS] = {**(metadata.get(DETAILS) or {}), "judged": False}
        found.append(document.model_copy(update={"metadata": metadata}))
    return found
