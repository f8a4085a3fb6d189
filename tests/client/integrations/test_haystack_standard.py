"""The tests that Haystack ships for document stores.

Two differences of a Twindex collection are allowed for. Documents are returned in ascending order
of id. The documents for filters have no embeddings, because a leg with an external encoder requires
a vector from each document, and a collection returns no vectors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DocumentStore
from haystack.testing import document_store as tests
from haystack.testing import document_store_async as async_tests

from twindex.integrations.haystack import TwindexDocumentStore

from .conftest import Make

CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}


class Twindex:
    """The document store, the documents for filters, and the comparison of documents."""

    @pytest.fixture
    def document_store(self, make: Make) -> DocumentStore:
        return TwindexDocumentStore(make(CONFIG))

    @pytest.fixture
    def filterable_docs(self) -> list[Document]:
        return [replace(one, embedding=None) for one in tests.create_filterable_docs()]

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        assert received == sorted(expected, key=lambda one: one.id)


class TestDocumentStore(
    Twindex,
    tests.DocumentStoreBaseTests,
    tests.DeleteAllTest,
    tests.DeleteByFilterTest,
    tests.CountDocumentsByFilterTest,
):
    def test_write_documents(self, document_store: DocumentStore) -> None:
        """The policy NONE is FAIL. Haystack leaves it to the document store."""
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])


class TestAsyncDocumentStore(
    Twindex,
    async_tests.CountDocumentsAsyncTest,
    async_tests.DeleteDocumentsAsyncTest,
    async_tests.FilterDocumentsAsyncTest,
    async_tests.WriteDocumentsAsyncTest,
    async_tests.DeleteAllAsyncTest,
    async_tests.DeleteByFilterAsyncTest,
    async_tests.CountDocumentsByFilterAsyncTest,
):
    async def test_write_documents_async(self, document_store: Any) -> None:
        """The policy NONE is FAIL. Haystack leaves it to the document store."""
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])


def test_methods_beyond_the_protocol_that_are_not_offered() -> None:
    """Their tests are left out. Updates would lose vectors, and the others read all documents."""
    for name in (
        "update_by_filter",
        "count_unique_metadata_by_filter",
        "get_metadata_fields_info",
        "get_metadata_field_min_max",
        "get_metadata_field_unique_values",
    ):
        assert not hasattr(TwindexDocumentStore, name)
