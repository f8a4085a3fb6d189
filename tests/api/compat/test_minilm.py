"""Embeddings of a real model, through OpenAI's and Cohere's clients, equal those of its encoder."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from twindex.core import ModelError
from twindex.encoders import DenseEncoderConfig, load_encoder
from twindex.llm import find_weights

from .conftest import KEY, cohere_client, end, launch

MODEL = "all-MiniLM-L6-v2"
TEXTS = [f"Bird number {n} lives in {'the forest ' * (n % 7)}near a river." for n in range(300)]


@pytest.mark.slow
def test_embeddings_equal_those_of_the_encoder(tmp_path: Path) -> None:
    openai = pytest.importorskip("openai", reason="openai is not installed")
    try:
        find_weights(MODEL)
    except ModelError as error:
        pytest.skip(f"needs {MODEL}: {error}")
    dense = load_encoder(DenseEncoderConfig(model=MODEL)).encode(TEXTS, role="document").dense
    assert dense is not None
    server = launch(tmp_path)
    try:
        config = {
            "legs": {"dense": {"kind": "dense", "encoder": {"kind": "dense", "model": MODEL}}}
        }
        assert server.http.put("/v1/collections/birds", json=config).status_code == 201
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, timeout=300) as client:
            plain = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float")
            coded = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="base64")
        found = np.array([one.embedding for one in plain.data])
        np.testing.assert_allclose(found, dense, atol=1e-6)
        rows = [np.frombuffer(base64.b64decode(one.embedding), "<f4") for one in coded.data]
        np.testing.assert_allclose(np.array(rows), dense, atol=1e-6)
        assert plain.usage.prompt_tokens > 10 * len(TEXTS)
        with cohere_client(server.url) as other:
            reply = other.embed(model=MODEL, texts=TEXTS[:8], input_type="search_document")
        np.testing.assert_allclose(reply.embeddings.float_, dense[:8], atol=1e-6)
    finally:
        end(server)
