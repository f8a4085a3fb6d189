"""Requests in the form of text-embeddings-inference."""

from __future__ import annotations

import numpy as np
import pytest

from twindex.encoders import (
    DenseEncoderConfig,
    FakeDenseEncoder,
    FakeSparseEncoder,
    SparseEncoderConfig,
)

TEXTS = ["The kiwi cannot fly.", "Swifts fly."]


def test_embed_returns_the_vectors_of_the_encoder(server):
    dense = FakeDenseEncoder(DenseEncoderConfig(model="fake")).encode(TEXTS, role="document").dense
    reply = server.http.post("/embed", json={"inputs": TEXTS, "model": "birds/dense"})
    assert reply.status_code == 200, reply.text
    np.testing.assert_allclose(reply.json(), dense, atol=1e-6)


def test_the_model_is_required_if_there_are_several(server):
    reply = server.http.post("/embed", json={"inputs": TEXTS})
    assert reply.status_code == 422
    assert reply.json()["error_type"] == "Validation"
    assert "name one of the encoders" in reply.json()["error"]


def test_embed_sparse_uses_the_only_sparse_encoder(server):
    encoder = FakeSparseEncoder(SparseEncoderConfig(model="fake"))
    rows = encoder.encode(TEXTS, role="query").sparse
    assert rows is not None
    body = {"inputs": TEXTS, "prompt_name": "query"}
    found = server.http.post("/embed_sparse", json=body).json()
    for i, weights in enumerate(found):
        row = rows[i : i + 1].tocsr()
        assert [one["index"] for one in weights] == row.indices.tolist()
        np.testing.assert_allclose([one["value"] for one in weights], row.data, atol=1e-6)


def test_rerank_with_texts_replies_with_scores(server):
    body = {"query": "Which bird cannot fly?", "texts": TEXTS, "return_text": True}
    found = server.http.post("/rerank", json=body).json()
    plain = {"query": body["query"], "documents": TEXTS, "model": "fast"}
    results = server.http.post("/rerank", json=plain).json()["results"]
    assert found == [
        {"index": r["index"], "score": r["relevance_score"], "text": TEXTS[r["index"]]}
        for r in results
    ]


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        ("/embed", {"inputs": "a", "truncation_direction": "Left"}, "truncation_direction"),
        ("/embed", {"inputs": "a", "prompt_name": "other"}, "prompt_name"),
        ("/embed", {"inputs": "a", "normalize": False, "model": "birds/dense"}, "normalize"),
        ("/embed", {"inputs": [[1, 2]], "model": "birds/dense"}, "inputs"),
        ("/rerank", {"query": "a", "texts": ["b"], "raw_scores": True}, "raw_scores"),
        ("/v1/rerank", {"query": "a", "texts": ["b"], "model": "fast"}, "texts"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(server, path, fields, name):
    reply = server.http.post(path, json=fields)
    assert reply.status_code == 422, reply.text
    assert name in [one["field"] for one in reply.json()["errors"]]
