"""A LangChain vector store that keeps its documents in a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn
from uuid import uuid4

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever

from ...core.errors import InvalidInputError, UnsupportedError, shown
from .. import operations
from ..steps import Steps, check_collection, run, run_async
from .documents import of_stored, to_fields
from .filters import to_filter

Scored = list[tuple[Document, float]]


class TwindexVectorStore(VectorStore):
    """Stores documents in a collection and searches them.

    collection: a `twindex.Collection`, or a collection of `Client` or `AsyncClient`. With a
                collection of `AsyncClient`, only asynchronous methods work.
    embedding:  LangChain embeddings for the leg `leg`. None: the encoders of the collection read
                documents and queries.
    leg:        dense leg that stores the vectors of `embedding`, and that searches by vector use.
                Its encoder may be of the kind "external".
    options:    fields of every SearchRequest, such as {"rerank": {"model": "fast"}}. Keyword
                arguments of a search replace them.
    relevance:  function from a hit's score to a relevance between 0 and 1. None: searches with
                relevance scores are refused, because the range of scores depends on the legs.

    Documents are stored and returned whole. A document with an id that is stored already replaces
    the stored one.

    The score of a hit is the fused score: higher is better. Searches accept `filter` and the other
    fields of a SearchRequest as keyword arguments.

    Twindex ranks by the inner product. If your embeddings are made for cosine similarity, they must
    have length 1.
    """

    def __init__(
        self,
        collection: Any,
        *,
        embedding: Embeddings | None = None,
        leg: str | None = None,
        options: Mapping[str, Any] | None = None,
        relevance: Callable[[float], float] | None = None,
    ) -> None:
        """Raises InvalidInputError for `embedding` without `leg`."""
        if embedding is not None and leg is None:
            raise InvalidInputError(
                "name the dense leg that stores the vectors of `embedding`", field="leg"
            )
        self.collection = check_collection(collection)
        self._embedding = embedding
        self._leg = leg
        self._options = dict(options or {})
        self._relevance = relevance

    @property
    def embeddings(self) -> Embeddings | None:
        """The embeddings of the vector store. None if the collection encodes texts."""
        return self._embedding

    # -- writing -----------------------------------------------------------------------------

    def add_documents(
        self, documents: list[Document], *, ids: list[str] | None = None, **kwargs: Any
    ) -> list[str]:
        """Insert documents, and replace stored documents with the same ids. Return the ids.

        ids: ids of the documents; they take precedence over the documents' own ids. A document
             without an id gets a new one.
        """
        _refuse(kwargs)
        chosen = _ids(documents, ids)
        vectors = None
        if self._embedding is not None:
            vectors = self._embedding.embed_documents([one.page_content for one in documents])
        run(self.collection, operations.write(to_fields(documents, chosen, vectors, self._leg)))
        return chosen

    async def aadd_documents(
        self, documents: list[Document], *, ids: list[str] | None = None, **kwargs: Any
    ) -> list[str]:
        """Insert documents. See `add_documents`."""
        _refuse(kwargs)
        chosen = _ids(documents, ids)
        vectors = None
        if self._embedding is not None:
            texts = [one.page_content for one in documents]
            vectors = await self._embedding.aembed_documents(texts)
        fields = to_fields(documents, chosen, vectors, self._leg)
        await run_async(self.collection, operations.write(fields))
        return chosen

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Insert texts as documents. See `add_documents`."""
        return self.add_documents(_documents(texts, metadatas), ids=ids, **kwargs)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Insert texts as documents. See `add_documents`."""
        return await self.aadd_documents(_documents(texts, metadatas), ids=ids, **kwargs)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents by id, or all that meet a filter. Unknown ids are skipped.

        filter: a filter, as for a search, in place of `ids`.

        Raises InvalidInputError without ids and filter: nothing is deleted by accident.
        """
        run(self.collection, _deletion(ids, kwargs))
        return True

    async def adelete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents. See `delete`."""
        await run_async(self.collection, _deletion(ids, kwargs))
        return True

    # -- reading -----------------------------------------------------------------------------

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents with these ids, in the order of the ids. Unknown ids are skipped."""
        return [of_stored(one) for one in run(self.collection, operations.read(ids))]

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents with these ids. See `get_by_ids`."""
        return [of_stored(one) for one in await run_async(self.collection, operations.read(ids))]

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> Scored:
        """Return the k best documents and their scores; a higher score is better."""
        vector = None if self._embedding is None else self._embedding.embed_query(query)
        return run(self.collection, self._search(query, vector, k, kwargs))

    async def asimilarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> Scored:
        """Return the k best documents and their scores; a higher score is better."""
        vector = None if self._embedding is None else await self._embedding.aembed_query(query)
        return await run_async(self.collection, self._search(query, vector, k, kwargs))

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """Return the k best documents."""
        return [one for one, _ in self.similarity_search_with_score(query, k, **kwargs)]

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """Return the k best documents."""
        return [one for one, _ in await self.asimilarity_search_with_score(query, k, **kwargs)]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **kwargs: Any
    ) -> list[Document]:
        """Return the k best documents of the leg `leg` for a vector.

        Raises InvalidInputError if the vector store has no `leg`.
        """
        return [one for one, _ in run(self.collection, self._search(None, embedding, k, kwargs))]

    async def asimilarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **kwargs: Any
    ) -> list[Document]:
        """Return the k best documents for a vector. See `similarity_search_by_vector`."""
        found = await run_async(self.collection, self._search(None, embedding, k, kwargs))
        return [one for one, _ in found]

    def _search(
        self, query: str | None, vector: list[float] | None, k: int, given: Mapping[str, Any]
    ) -> Steps[Scored]:
        if vector is not None and self._leg is None:
            raise InvalidInputError(
                "a search by vector needs the dense leg that stores the vectors; set `leg` of the "
                "vector store",
                field="leg",
            )
        fields = {**self._options, **given}
        fields["filter"] = to_filter(fields.get("filter"))
        vectors = None if vector is None or self._leg is None else {self._leg: vector}
        result = yield from operations.search(
            query, fields, limit=k, limited_by="k", vectors=vectors
        )
        return [(of_stored(hit.document), hit.score) for hit in result if hit.document is not None]

    # -- what a collection cannot do, or does in another way ---------------------------------

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        if self._relevance is None:
            raise UnsupportedError(
                "the range of scores depends on the legs, so there are no relevance scores; pass "
                "`relevance` to the vector store, or `min_score` to the search"
            )
        return self._relevance

    def as_retriever(self, **kwargs: Any) -> VectorStoreRetriever:
        """Return a retriever with the search type "similarity" or "similarity_score_threshold".

        `TwindexRetriever` returns passages and their details, which this one does not.

        Raises UnsupportedError for the search type "mmr", and for a score threshold if the vector
        store has no `relevance`.
        """
        if kwargs.get("search_type") == "mmr":
            self.max_marginal_relevance_search()
        if kwargs.get("search_type") == "similarity_score_threshold":
            self._select_relevance_score_fn()
        return super().as_retriever(**kwargs)

    def max_marginal_relevance_search(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise UnsupportedError: a reranker of the kind "mmr" does this inside a search."""
        raise UnsupportedError(
            "the search type 'mmr' is not supported; configure a reranker of the kind mmr and pass "
            "rerank={'model': NAME} to a search"
        )

    max_marginal_relevance_search_by_vector = max_marginal_relevance_search

    async def amax_marginal_relevance_search(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise UnsupportedError. See `max_marginal_relevance_search`."""
        self.max_marginal_relevance_search()

    amax_marginal_relevance_search_by_vector = amax_marginal_relevance_search

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        collection: Any = None,
        **options: Any,
    ) -> TwindexVectorStore:
        """Add texts to a collection, and return a vector store of the collection.

        collection: the collection; required.
        options:    other arguments of the vector store, such as `leg`.
        """
        store = cls(collection, embedding=embedding, **options)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        collection: Any = None,
        **options: Any,
    ) -> TwindexVectorStore:
        """Add texts to a collection, and return a vector store. See `from_texts`."""
        store = cls(collection, embedding=embedding, **options)
        await store.aadd_texts(texts, metadatas, ids=ids)
        return store


def _ids(documents: Sequence[Document], ids: Sequence[str | None] | None) -> list[str]:
    """Return the id of each document: of `ids`, its own, or a new one."""
    own = [getattr(one, "id", None) for one in documents]
    given = own if ids is None else list(ids)
    if len(given) != len(own):
        raise InvalidInputError(
            f"must have one id for each of the {len(own)} documents, got {len(given)}", field="ids"
        )
    return [one or other or uuid4().hex for one, other in zip(given, own, strict=True)]


def _documents(texts: Iterable[str], metadatas: Sequence[Any] | None) -> list[Document]:
    given = list(texts)
    if metadatas is not None and len(metadatas) != len(given):
        raise InvalidInputError(
            f"must have one entry for each of the {len(given)} texts, got {len(metadatas)}",
            field="metadatas",
        )
    found = [{}] * len(given) if metadatas is None else [one or {} for one in metadatas]
    return [Document(text, metadata=dict(one)) for text, one in zip(given, found, strict=True)]


def _deletion(ids: Sequence[str] | None, given: Mapping[str, Any]) -> Steps[None]:
    filter_ = to_filter(given.get("filter"))
    _refuse({name: value for name, value in given.items() if name != "filter"})
    if (ids is None) == (filter_ is None):
        raise InvalidInputError(
            "pass either ids or `filter`; to delete everything, delete the collection", field="ids"
        )
    if filter_ is not None:
        yield from operations.delete_where(filter_)
    elif isinstance(ids, str):
        raise InvalidInputError(f"must be a list of ids, got {shown(ids)}", field="ids")
    else:
        yield from operations.delete(list(ids or ()))


def _refuse(given: Mapping[str, Any]) -> None:
    for name in given:
        raise InvalidInputError("is not an argument of this method; remove it", field=name)
