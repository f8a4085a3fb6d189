"""The loss of a codec, against a plain computation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from twindex.index import ProjectionConfig, ScalarCodec
from twindex.index.codecs import loss
from twindex.index.codecs.loss import Loss, measure, round_trip
from twindex.index.codecs.projection import Projection


class Source:
    def __init__(self, vectors):
        self.vectors = vectors
        self.taken = None

    def __len__(self):
        return len(self.vectors)

    def take(self, rows):
        self.taken = rows
        return self.vectors[rows]


def vectors(n=600, width=16):
    return np.random.default_rng(0).standard_normal((n, width)).astype(np.float32)


def reference(before, after, queries):
    found = []
    for row in range(queries):
        others = np.delete(np.arange(len(before)), row)
        exact = others[np.argsort(-(before[row] @ before[others].T))][:10]
        now = others[np.argsort(-(before[row] @ after[others].T))][:10]
        found.append(len(set(exact) & set(now)) / 10)
    cosine = (before * after).sum(1) / np.linalg.norm(before, axis=1)
    error = np.square(before - after).sum(1) / np.square(before).sum(1)
    return error.mean(), (cosine / np.linalg.norm(after, axis=1)).mean(), np.mean(found)


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("kind", ["int4", "binary"])
def test_loss_equals_a_plain_computation(kind, projected):
    source = Source(vectors())
    projection = None
    if projected:
        projection = Projection.fit(source.vectors, ProjectionConfig(share=0.5))
    short = source.vectors if projection is None else projection.apply(source.vectors)
    left = round_trip(ScalarCodec(kind=kind).fit(short), projection)
    found = measure(left, source)
    before = source.vectors[source.taken]
    expected = reference(before, left(before), loss.QUERIES)
    got = (found.squared_error, found.cosine, found.recall_at_10)
    np.testing.assert_allclose(got, expected, rtol=1e-4)
    assert (found.vectors, found.queries) == (600, loss.QUERIES)
    assert found == measure(left, source)
    assert Loss(**json.loads(json.dumps(found.as_json()))) == found


def test_loss_of_unchanged_vectors_is_zero():
    found = measure(round_trip(None, None), Source(vectors()))
    assert (found.squared_error, found.recall_at_10) == (0, 1)
    assert found.cosine == pytest.approx(1)


def test_equal_vectors_are_interchangeable_neighbours():
    few = np.repeat(vectors(n=5), 40, axis=0)
    assert measure(lambda given: given, Source(few)).recall_at_10 == 1


def test_fitting_sample_is_not_measured(monkeypatch):
    monkeypatch.setattr(loss, "VECTORS", 200)
    source, fitted = Source(vectors()), np.arange(400)
    measure(lambda given: given, source, fitted)
    assert not set(source.taken) & set(fitted)
    measure(lambda given: given, source, np.arange(401))
    assert set(source.taken) & set(fitted)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_vectors_have_full_recall(n):
    found = measure(lambda given: given, Source(vectors(n=n)))
    assert (found.recall_at_10, found.vectors) == (1, n)


def test_zero_vectors_have_no_loss():
    source = Source(vectors(n=20))
    source.vectors[:10] = 0
    found = measure(lambda given: given, source)
    assert found.squared_error == 0
    assert found.cosine == pytest.approx(1)
