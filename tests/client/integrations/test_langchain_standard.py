"""The standard tests of LangChain for retrievers and vector stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import (
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)

import twindex
from twindex.integrations.langchain import TwindexRetriever, TwindexVectorStore

from .conftest import TEXTS, VECTORS, Make


class UnitEmbedding(Embeddings):
    """The embeddings of the standard tests, scaled to length 1."""

    def __init__(self) -> None:
        self._inner = DeterministicFakeEmbedding(size=6)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        found = self._inner.embed_query(text)
        length = sum(number**2 for number in found) ** 0.5
        return [number / length for number in found]


class TestVectorStoreOfTexts(VectorStoreIntegrationTests):
    """The collection encodes the texts."""

    @pytest.fixture
    def vectorstore(self, make: Make) -> VectorStore:
        return TwindexVectorStore(make(TEXTS))


class TestVectorStoreOfEmbeddings(VectorStoreIntegrationTests):
    """LangChain's embeddings are stored in an external leg."""

    @pytest.fixture
    def vectorstore(self, make: Make) -> VectorStore:
        return TwindexVectorStore(make(VECTORS), embedding=UnitEmbedding(), leg="dense")


class TestVectorStoreOfAsyncClient(VectorStoreIntegrationTests):
    """Only asynchronous methods work with a collection of AsyncClient."""

    @property
    def has_sync(self) -> bool:
        return False

    @pytest_asyncio.fixture
    async def vectorstore(self, service: str) -> AsyncIterator[VectorStore]:
        async with twindex.AsyncClient(service) as client:
            yield TwindexVectorStore(await client.create(name := uuid4().hex, TEXTS))
            await client.drop(name)


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _collection(self, birds: Any) -> None:
        self.collection = birds

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return TwindexRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"collection": self.collection}

    @property
    def retriever_query_example(self) -> str:
        return "a bird that cannot fly"
