"""A local collection and the clients accept the same vectors, and refuse them with equal errors."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from scipy.sparse import csr_array

import twindex
from twindex.core import Passage
from twindex.sources import SparseVector

VECTORS = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "external", "dimensions": 2}},
        "sparse": {"kind": "sparse", "encoder": {"kind": "external-sparse", "dimensions": 9}},
    }
}


@pytest.fixture
def given(door, named):
    """An empty collection, whose vectors are all given."""
    with contextlib.closing(door.create(named, VECTORS)) as collection:
        yield collection


def test_rows_of_vectors_are_attached_to_documents(given):
    rows = np.array([[1, 0], [0.5, 0.5], [0, 1], [0, 2]], np.float32)
    weights = csr_array(np.diag([3.0, 4, 5, 6]))
    documents = [{"id": "a", "text": "one"}, twindex.Document("b", "two"),
                 {"id": "c", "text": "one two", "passages": [(0, 3), (4, 7)]}]  # fmt: skip
    forms = [
        {"dense": rows, "sparse": weights},
        {"dense": rows.tolist(), "sparse": [{i: i + 3.0} for i in range(4)]},
        {"dense": iter(rows), "sparse": (SparseVector(np.array([i]), np.array([i + 3.0]))
                                         for i in range(4))},
    ]  # fmt: skip
    for vectors in forms:
        assert given.add(iter(documents), vectors=vectors).documents == 3
        found = given.search(vectors={"dense": np.array([0, 1])}, legs=["dense"])
        assert [(hit.id, hit.score) for hit in found] == [("c", 2), ("b", 0.5), ("a", 0)]
        assert found.hits[0].passage == Passage(4, 7)
        found = given.search(vectors={"sparse": {2: 1}}, legs=["sparse"])
        assert [hit.id for hit in found] == ["c"]


def test_errors_of_attached_vectors_are_equal(given):
    documents = [{"id": "a", "text": "one"}, {"id": "b", "text": "two"}]
    dense, sparse = np.eye(2, dtype=np.float32), [{1: 1.0}, {2: 1.0}]
    own = {"id": "c", "text": "", "vectors": {"dense": [1, 0]}}
    for added, vectors, field, words in [
        (documents, [dense], "vectors", 'must be a mapping {"leg": array}'),
        (documents, {"dense": dense[0]}, "vectors.dense", "got the shape [2]"),
        (documents, {"dense": 7}, "vectors.dense", "or an iterable of vectors, got 7"),
        (documents, {"dense": "ab"}, "vectors.dense", "or an iterable of vectors"),
        (documents, {"dense": dense[:1], "sparse": sparse}, "vectors.dense",
         "has no row for document 'b' (number 1, from 0)"),
        (documents[:1], {"dense": dense, "sparse": sparse}, "vectors.dense",
         "has more rows than there are documents (1)"),
        ([own], {"dense": dense}, "vectors.dense", "document 'c' already has a vector"),
        (documents, {"dense": [dense, dense]}, "vectors.dense[0]", "must be one vector, got"),
    ]:  # fmt: skip
        with pytest.raises(twindex.InvalidInputError) as wrong:
            given.add(iter(added), vectors=vectors)
        assert (wrong.value.field, words in wrong.value.message) == (field, True), wrong.value
    with pytest.raises(twindex.InvalidInputError, match=r"vectors.dense.*: must have 2 dimensions"):
        given.add(documents, vectors={"dense": [[1, 2, 3]] * 2, "sparse": sparse})
    assert given.count() == 0


def test_search_without_a_text(given):
    given.add([{"id": "a", "text": "", "vectors": {"dense": [1, 0], "sparse": {1: 1}}}])
    for vector in ([1, 0], np.array([1, 0])):
        assert given.search(vectors={"dense": vector}, legs=["dense"], limit=1).hits[0].id == "a"
    for call in (lambda: given.search(), lambda: given.search(limit=3)):
        with pytest.raises(twindex.InvalidInputError):
            call()


def test_every_form_of_a_vector_is_accepted(door, named):
    collection = door.create(named, VECTORS)
    own = SparseVector(np.array([5, 7]), np.array([1, 2], np.float32))
    forms = [{5: 1.0, 7: 2}, own, {"indices": [7, 5], "values": [2, 1]}, {"5": 1, "7": 2},
             {np.int64(5): np.float32(1), 7: 2}]  # fmt: skip
    documents = [
        {"id": f"m{i}", "text": "bird", "vectors": {"dense": np.array([1, 0]), "sparse": form}}
        for i, form in enumerate(forms)
    ]
    documents += [twindex.Document(f"d{i}", "a", vectors={"dense": (1, 0), "sparse": form})
                  for i, form in enumerate(forms)]  # fmt: skip
    for i, form in enumerate(forms):
        vectors = {"dense": [[1, 0], np.array([0, 1])], "sparse": [form, form]}
        documents.append({"id": f"p{i}", "text": "a kiwi", "vectors": vectors,
                          "passages": [Passage(0, 1), (2, 6)]})  # fmt: skip
    assert collection.add(documents).documents == 15
    for form in ({7: 3.0}, SparseVector(np.array([7]), np.array([3.0])), {"7": 3}):
        request = {"vectors": {"sparse": form}, "limit": 20}
        found = collection.search(request)
        (batched,) = collection.search_batch([request])
        for hits in (found, batched):
            assert {hit.score for hit in hits} == {6.0}
            assert len(hits.hits) == 15
    with pytest.raises(twindex.InvalidInputError, match="must be an integer between 0"):
        collection.add([{"id": "x", "text": "", "vectors": {"dense": [1, 0], "sparse": {-5: 1}}}])
    collection.close()
