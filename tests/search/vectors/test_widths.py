"""Encoders know the widths of their vectors; a text that is encoded to find out is counted."""

from __future__ import annotations

import pytest

from twindex.core import Document
from twindex.encoders import (
    DenseEncoderConfig,
    PairEncoderConfig,
    PromptRepsEncoderConfig,
    SparseEncoderConfig,
    TildeEncoderConfig,
    load_encoder,
)
from twindex.encoders.pair.encoder import width
from twindex.index import CollectionConfig, DenseLeg, SparseLeg
from twindex.search import Collection

PROMPTED = PromptRepsEncoderConfig(model="fake")
CONFIGS = [
    DenseEncoderConfig(model="fake"),
    SparseEncoderConfig(model="fake"),
    TildeEncoderConfig(model="fake"),
    PROMPTED,
    PairEncoderConfig(documents=PROMPTED, queries=PROMPTED),
]


class Plain:
    """An encoder without an attribute `dimensions`."""

    def __init__(self, inner):
        self.gives, self.fingerprint = inner.gives, inner.fingerprint
        self.encode, self.term = inner.encode, inner.term


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_a_known_width_is_that_of_the_vectors(config, monkeypatch):
    encoder = load_encoder(config)
    parts = sorted(config.fills)
    wanted = [width(Plain(encoder), part, "query") for part in parts]
    monkeypatch.setattr(type(encoder), "encode", None)
    assert [width(encoder, part, "query") for part in parts] == wanted


@pytest.mark.parametrize("known", [True, False])
def test_usage_counts_a_text_that_shows_the_width(tmp_path, known):
    config = CollectionConfig(
        legs={"dense": DenseLeg(encoder=PROMPTED), "sparse": SparseLeg(encoder=PROMPTED)}
    )

    def load(config):
        encoder = load_encoder(config)
        return encoder if known else Plain(encoder)

    with Collection.create(tmp_path / "c", config, encoders=load) as collection:
        vectors = {"dense": [1] * 64, "sparse": {3: 1}}
        collection.check_document(Document("a", "bird", vectors=vectors))
        usage = collection.usage
        collection.check_document(Document("a", "bird", vectors=vectors))
        assert collection.usage == usage
    if known:
        assert usage is None
    else:
        assert usage.calls == 2  # One text for the dense part, one for the sparse part.
