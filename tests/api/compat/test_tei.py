"""Requests in the form of text-embeddings-inference."""

from __future__ import annotations

import numpy as np
import pytest

from twindex.api.serving.operations.probe import Writable
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


FIELDS = {
    *("model_id", "model_sha", "model_dtype", "model_type", "max_concurrent_requests", "version"),
    *("max_input_length", "max_batch_tokens", "max_batch_requests", "max_client_batch_size"),
    *("auto_truncate", "tokenization_workers", "sha", "docker_label"),
}
"""Fields of the schema `Info` of text-embeddings-inference 1.8."""


@pytest.mark.parametrize(
    ("model", "kind", "length"),
    [
        ("birds/dense", {"embedding": {"pooling": "model"}}, 20_000),
        ("small/dense", {"embedding": {"pooling": "model"}}, 8),
        ("birds/sparse", {"embedding": {"pooling": "splade"}}, 20_000),
        ("fast", {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}}, 20_000),
    ],
)
def test_info_describes_a_model(server, model, kind, length):
    found = server.http.get("/info", params={"model": model}).json()
    assert set(found) == FIELDS
    assert found["model_id"] == model
    assert found["model_type"] == kind
    assert found["max_input_length"] == length
    assert found["model_dtype"] == "float32"


def test_info_requires_a_model_if_there_are_several_and_refuses_an_unknown_one(server):
    several = server.http.get("/info")
    assert several.status_code == 422
    assert several.json()["errors"][0]["field"] == "model"
    assert "birds/dense" in several.json()["error"]
    unknown = server.http.get("/info", params={"model": "nobody"})
    assert unknown.status_code == 404
    assert "birds/dense" in unknown.json()["error"]
    assert server.http.get("/info", params={"x": "1"}).status_code == 422


def test_info_describes_the_only_model(serve):
    client = serve()
    assert client.get("/info").status_code == 404
    legs = {"dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}}}
    assert client.put("/v1/collections/birds", json={"legs": legs}).status_code == 201
    assert client.get("/info").json()["model_id"] == "fake"


def test_health_needs_no_key_and_info_does(server):
    keyless = {"authorization": ""}
    healthy = server.http.get("/health", headers=keyless)
    assert (healthy.status_code, healthy.content) == (200, b"")
    refused = server.http.get("/info", headers=keyless)
    assert refused.status_code == 401
    assert refused.json()["error_type"] == "Validation"


def test_a_server_that_cannot_write_is_healthy_for_searches(serve, monkeypatch):
    client = serve()
    service = client.app.state.service
    monkeypatch.setattr(
        type(service), "writable", lambda _: Writable("the disk is full", intended=False)
    )
    assert client.get("/health").status_code == 200


def test_health_says_that_the_server_is_loading(serve, monkeypatch):
    client = serve()
    monkeypatch.setattr(type(client.app.state.service), "loading", True)
    reply = client.get("/health")
    assert reply.status_code == 503
    assert reply.json()["error_type"] == "Unhealthy"
    assert reply.json()["error"] == "the server is loading"


def test_the_document_has_the_operations(server):
    paths = server.http.get("/openapi.json").json()["paths"]
    assert paths["/health"]["get"]["security"] == []
    assert paths["/info"]["get"]["security"] != []
    body = paths["/rerank"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    names = {one["$ref"].rpartition("/")[2] for one in body["anyOf"]}
    assert names == {"RerankBody", "TeiRerankBody"}
    assert "/v2/rerank" in paths
    problem = paths["/v2/rerank"]["post"]["responses"]["422"]["content"]
    schema = problem["application/problem+json"]["schema"]["$ref"]
    assert schema.endswith("CohereProblem")
