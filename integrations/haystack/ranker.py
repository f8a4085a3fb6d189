"""A Haystack component that reranks documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Literal

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import Secret

from ...core.errors import InvalidInputError
from ..contents import TITLE
from ..reranking import Reranking, Scored
from . import opening


@component
class TwindexRanker:
    """Reranks documents with a reranker of Twindex.

    The reranker reads the text of a document and `title` of its `meta`. The score of a returned
    document is the score of the reranker.
    """

    def __init__(
        self,
        reranker: Any,
        *,
        model: str | None = None,
        url: str | None = None,
        api_key: Secret | None = opening.KEY,
        top_k: int | None = None,
        timeout_ms: float | None = None,
        calls: int | None = None,
        tokens: int | None = None,
        on_error: Literal["fail", "keep"] = "fail",
    ) -> None:
        """Create the component.

        reranker:   spec of a reranker in this process, such as "cross-encoder:FOLDER"; with `url`,
                    the name of a reranker of the service; a Reranker object; or a Client or
                    AsyncClient. An object cannot be saved with a pipeline.
        model:      name of a reranker of the service, if `reranker` is a client.
        url:        address of a Twindex service.
        api_key:    secret with the API key of the service. It is read from TWINDEX_API_KEY by
                    default, and not sent if that is not set.
        top_k:      maximum number of documents to return. None: all.
        timeout_ms: time limit in milliseconds. None: no limit.
        calls:      maximum number of prompts or pairs that models read. None: no limit.
        tokens:     maximum number of tokens that models read and write. None: no limit.
        on_error:   "fail" raises the error of a model; "keep" returns the documents in their order.
        """
        named = isinstance(reranker, str)
        if named and model is not None:
            raise InvalidInputError("applies to a client only; remove it", field="model")
        if not named and url is not None:
            raise InvalidInputError(
                "applies to a reranker that is given by its name; remove it", field="url"
            )
        self._given = reranker
        self._model = model
        self._url = url
        self._api_key = api_key
        self._limits: dict[str, Any] = {
            "timeout_ms": timeout_ms,
            "calls": calls,
            "tokens": tokens,
            "on_error": on_error,
        }
        self.top_k = top_k
        self._loaded: tuple[Any, str | None] | None = None if named else (reranker, model)
        self._lock = Lock()
        if not named:
            self._reranking(top_k)

    def warm_up(self) -> None:
        """Load the reranker, or create the client."""
        self._load()

    def _load(self) -> tuple[Any, str | None]:
        """Return the reranker or client, and the name of a reranker of the service."""
        with self._lock:
            if self._loaded is None and self._url is None:
                self._loaded = (opening.reranker(self._given), None)
            elif self._loaded is None:
                self._loaded = (opening.client(str(self._url), self._api_key), self._given)
            return self._loaded

    def close(self) -> None:
        """Close a client that this component created. A later use creates another one."""
        with self._lock:
            if isinstance(self._given, str) and self._url is not None and self._loaded is not None:
                self._loaded[0].close()
                self._loaded = None

    def to_dict(self) -> dict[str, Any]:
        """Return the component as a dictionary, which a saved pipeline contains.

        Raises InvalidInputError if the component was created with an object.
        """
        opening.check_serializable(self._given, "reranker")
        return default_to_dict(
            self,
            reranker=self._given,
            url=self._url,
            api_key=self._api_key,
            top_k=self.top_k,
            **self._limits,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TwindexRanker:
        """Return the component that `to_dict` described."""
        found: TwindexRanker = default_from_dict(cls, data)
        return found

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the documents in the order of their new scores, as `documents`."""
        scored = self._reranking(top_k).run(query, _texts(documents))
        return {"documents": _ordered(documents, scored)}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the documents in the order of their new scores, as `documents`."""
        scored = await self._reranking(top_k).run_async(query, _texts(documents))
        return {"documents": _ordered(documents, scored)}

    def _reranking(self, top_k: int | None) -> Reranking:
        reranker, model = self._load()
        limit = self.top_k if top_k is None else top_k
        return Reranking(reranker, model, limit, **self._limits)


def _texts(documents: Sequence[Document]) -> list[dict[str, str]]:
    found = []
    for position, document in enumerate(documents):
        if document.content is None:
            raise InvalidInputError(
                "a document must have a text", field=f"documents[{position}].content"
            )
        title = document.meta.get(TITLE)
        found.append({"text": document.content, "title": title if isinstance(title, str) else ""})
    return found


def _ordered(documents: Sequence[Document], scored: Sequence[Scored]) -> list[Document]:
    return [replace(documents[one.index], score=one.score) for one in scored]
