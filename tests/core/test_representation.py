"""`Representation.at` returns one text of a batch."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from twindex.core import Representation, Usage


def test_one_text_with_one_vector() -> None:
    batch = Representation(
        dense=np.array([[1, 2], [3, 4]], np.float32),
        sparse=csr_array(np.eye(2, dtype=np.float32)),
        terms=[{"a": 1}, {"b": 2}],
        truncated=np.array([False, True]),
        usage=Usage(calls=2),
    )
    one = batch.at(1)
    assert len(one) == 1
    assert one.dense.tolist() == [[3, 4]]
    assert one.sparse.toarray().tolist() == [[0, 1]]
    assert one.terms == [{"b": 2}]
    assert one.truncated.tolist() == [True]
    assert one.offsets is one.usage is None


def test_one_text_with_several_vectors() -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(6, 1)
    batch = Representation(vectors, csr_array(vectors), offsets=np.array([0, 2, 3, 6]))
    assert len(batch) == 3
    for i, own in enumerate([[0, 1], [2], [3, 4, 5]]):
        one = batch.at(i)
        assert len(one) == 1
        assert one.dense.ravel().tolist() == one.sparse.toarray().ravel().tolist() == own
        assert one.offsets.tolist() == [0, len(own)]
