"""OpenAI's official client requests embeddings and the list of models from a server process."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from twindex.encoders import (
    DenseEncoderConfig,
    FakeDenseEncoder,
    FakeSparseEncoder,
    SparseEncoderConfig,
)

TEXTS = ["The kiwi cannot fly.", "Swifts fly.", "Größe, naïve, 鳥", "."]


def vectors(texts: list[str], role: Any = "document", **options: Any) -> Any:
    encoder = FakeDenseEncoder(DenseEncoderConfig(model="fake", **options))
    return encoder.encode(texts, role=role).dense


@pytest.mark.parametrize("form", ["float", "base64", None])
def test_embeddings_equal_those_of_the_encoder(openai, form):
    given = {} if form is None else {"encoding_format": form}
    reply = openai.embeddings.create(model="birds/dense", input=TEXTS, **given)
    found = [one.embedding for one in reply.data]
    if form == "base64":
        found = [np.frombuffer(base64.b64decode(one), "<f4") for one in found]
    np.testing.assert_allclose(np.array(found), vectors(TEXTS), atol=1e-6)
    assert [one.index for one in reply.data] == list(range(len(TEXTS)))
    assert reply.model == "birds/dense"
    assert reply.usage.prompt_tokens == reply.usage.total_tokens == 9


def test_one_text_needs_no_list(openai):
    reply = openai.embeddings.create(model="birds/dense", input=TEXTS[0])
    np.testing.assert_allclose(reply.data[0].embedding, vectors(TEXTS[:1])[0], atol=1e-6)


def test_queries_have_the_vectors_of_queries(openai):
    further = {"input_type": "query"}
    reply = openai.embeddings.create(model="birds/dense", input=TEXTS, extra_body=further)
    found = [one.embedding for one in reply.data]
    np.testing.assert_allclose(np.array(found), vectors(TEXTS, "query"), atol=1e-6)


def test_two_thousand_and_forty_eight_texts_are_embedded_at_once(openai):
    import openai as package

    texts = [f"bird number {n}" for n in range(2_048)]
    reply = openai.embeddings.create(model="birds/dense", input=texts)
    found = np.array([one.embedding for one in reply.data])
    np.testing.assert_allclose(found, vectors(texts), atol=1e-6)
    with pytest.raises(package.BadRequestError) as raised:
        openai.embeddings.create(model="birds/dense", input=[*texts, "one more"])
    assert raised.value.param == "input"


def test_fewer_dimensions_are_the_first_ones_scaled_to_length_1(openai):
    reply = openai.embeddings.create(model="small/dense", input=TEXTS[:3], dimensions=16)
    expected = vectors(TEXTS[:3], max_length=8)[:, :16]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose([one.embedding for one in reply.data], expected, atol=1e-6)


def test_dimensions_are_refused_for_other_encoders(openai):
    import openai as package

    for model, dimensions in (("birds/dense", 16), ("small/dense", 65)):
        with pytest.raises(package.BadRequestError) as raised:
            openai.embeddings.create(model=model, input="a", dimensions=dimensions)
        assert raised.value.param == "dimensions"
    whole = openai.embeddings.create(model="birds/dense", input="a", dimensions=64)
    assert len(whole.data[0].embedding) == 64


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]], [], 7])
def test_tokens_and_other_values_are_refused(openai, given):
    import openai as package

    with pytest.raises(package.BadRequestError) as raised:
        openai.embeddings.create(model="birds/dense", input=given)
    assert raised.value.param.startswith("input")


def test_a_text_that_is_too_long_is_refused_unless_truncation_is_allowed(openai):
    import openai as package

    texts = ["short", "one two three four five six seven eight nine"]
    for kind in ("document", "query"):
        with pytest.raises(package.BadRequestError) as raised:
            openai.embeddings.create(
                model="small/dense", input=texts, extra_body={"input_type": kind}
            )
        assert raised.value.param == "input[1]"
    reply = openai.embeddings.create(
        model="small/dense", input=texts, extra_body={"truncate": "end"}
    )
    found = [one.embedding for one in reply.data]
    np.testing.assert_allclose(found, vectors(texts, max_length=8), atol=1e-6)
    assert reply.usage.prompt_tokens == 9


def test_a_name_of_several_encoders_is_refused_with_their_places(openai):
    import openai as package

    with pytest.raises(package.BadRequestError) as raised:
        openai.embeddings.create(model="fake", input="a")
    assert "birds/dense" in raised.value.message
    assert "small/dense" in raised.value.message


def test_no_model_is_loaded_for_a_request(openai):
    import openai as package

    for model in ("all-MiniLM-L6-v2", "/etc/passwd", "bird/dense", "birds/lexical", "birds/sparse"):
        with pytest.raises((package.NotFoundError, package.BadRequestError)):
            openai.embeddings.create(model=model, input="a")
    with pytest.raises(package.NotFoundError) as raised:
        openai.embeddings.create(model="fakee", input="a")
    # The name `fake` would stand for two encoders.
    assert raised.value.message.endswith("the models are small/dense, birds/dense")


def test_sparse_embeddings_equal_those_of_the_encoder(server):
    body = {"model": "fake", "input": TEXTS, "include_tokens": True}
    reply = server.http.post("/v1/sparse_embeddings", json=body)
    assert reply.status_code == 200, reply.text
    rows = FakeSparseEncoder(SparseEncoderConfig(model="fake")).encode(TEXTS, role="document")
    assert rows.sparse is not None
    for i, item in enumerate(reply.json()["data"]):
        row = rows.sparse[i : i + 1].tocsr()
        assert item["indices"] == row.indices.tolist()
        np.testing.assert_allclose(item["values"], row.data, atol=1e-6)
        assert item["tokens"] == [f"#{index}" for index in item["indices"]]
    plain = {"model": "birds/sparse", "input": "kiwi"}
    (item,) = server.http.post("/v1/sparse_embeddings", json=plain).json()["data"]
    assert set(item) == {"object", "index", "indices", "values"}


def test_embeddings_are_in_the_metrics(server, openai):
    openai.embeddings.create(model="birds/dense", input=TEXTS)
    text = server.metrics()
    assert 'twindex_embed_texts_total{model="birds/dense"}' in text
    assert 'twindex_embed_seconds_count{model="birds/dense"}' in text
    assert 'route="/v1/embeddings",status="200"' in text


def test_models_are_listed_and_found(openai):
    import openai as package

    names = [model.id for model in openai.models.list()]
    assert {"fake", "fast", "slow", "rag:birds", "rag:birds:extractive", "rag:small"} <= {*names}
    for name in ("rag:birds", "rag:birds:slow", "fast", "birds/dense"):
        found = openai.models.retrieve(name)
        assert found.object == "model"
        assert found.id in (name, "fake")
    with pytest.raises(package.NotFoundError) as raised:
        openai.models.retrieve("rag:brids")
    assert "did you mean 'rag:birds'" in str(raised.value)
