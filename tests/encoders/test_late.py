"""Late-interaction encoders, with real weights and with a generated ColBERT-style folder."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

from twindex.core import ConfigError, ModelError
from twindex.encoders import LateEncoderConfig, load_encoder
from twindex.encoders.late.encoder import LateEncoder
from twindex.encoders.loading import load_token_encoder
from twindex.llm import find_weights

TEXTS = [
    "Ants, bees and wasps: they build nests.",
    "",
    "...",
    "A much longer text about a cell's nucleus, which holds most of its genetic material. " * 9,
]


@pytest.fixture(scope="module")
def bi() -> LateEncoder:
    return LateEncoder.load(LateEncoderConfig(device="cpu"))


@pytest.fixture(scope="module")
def colbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM with a random projection, prompts, and queries padded with mask tokens."""
    folder = tmp_path_factory.mktemp("colbert")
    torch.manual_seed(0)
    body = SentenceTransformer(str(find_weights("all-MiniLM-L6-v2")), device="cpu")[0]
    body.query_length, body.document_length = 16, 40
    body.query_expansion = {"strategy": "fixed", "attend": False, "length": 16}
    token = "token_embeddings"
    model = MultiVectorEncoder(
        modules=[
            body,
            Dense(384, 32, bias=False, activation_function=torch.nn.Identity(),
                  module_input_name=token),
            MultiVectorMask(list(string.punctuation)),
            Normalize(module_input_name=token),
        ],
        prompts={"query": "query: ", "document": "passage: "},
        device="cpu",
    )  # fmt: skip
    model.save(str(folder))
    return folder


def test_bi_encoder_vectors_are_its_last_hidden_states(bi: LateEncoder) -> None:
    """They equal those of transformers, at length 1, without punctuation in documents."""
    from transformers import AutoModel, AutoTokenizer

    folder = find_weights("all-MiniLM-L6-v2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    left_out = set(tokenizer.convert_tokens_to_ids(list(string.punctuation)))
    for role in ("query", "document"):
        found = bi.encode(TEXTS, role=role)
        assert found.offsets is not None
        for i, text in enumerate(TEXTS):
            inputs = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                states = model(**inputs).last_hidden_state[0]
            kept = [role == "query" or t not in left_out for t in inputs.input_ids[0].tolist()]
            expected = torch.nn.functional.normalize(states[kept], dim=-1).numpy()
            np.testing.assert_allclose(found.at(i).dense, expected, atol=2e-3)
        assert found.truncated is not None
        assert found.truncated.tolist() == [False, False, False, False]


def test_numbers_fit_into_float16(bi: LateEncoder) -> None:
    dense = bi.encode(TEXTS, role="document").dense
    assert dense is not None
    assert dense.dtype == np.float32
    np.testing.assert_array_equal(dense.astype(np.float16).astype(np.float32), dense)


def test_each_vector_has_its_token(bi: LateEncoder) -> None:
    found, names = bi.encode_tokens(TEXTS, role="document")
    assert names[0] == ["[CLS]", "ants", "bees", "and", "wasps", "they", "build", "nests", "[SEP]"]
    assert found.offsets is not None
    assert [len(own) for own in names] == np.diff(found.offsets).tolist()


def test_colbert_vectors_equal_the_library(colbert: Path) -> None:
    encoder = LateEncoder.load(LateEncoderConfig(model=str(colbert), device="cpu"))
    library = MultiVectorEncoder(str(colbert), device="cpu")
    assert encoder.dimensions == 32
    for role, reference in (
        ("query", library.encode_query(TEXTS)),
        ("document", library.encode_document(TEXTS)),
    ):
        found = encoder.encode(TEXTS, role=role)
        for i, expected in enumerate(reference):
            own = found.at(i).dense
            assert own is not None
            assert len(own) == len(expected) > 0
            np.testing.assert_allclose(own, expected.numpy(), atol=2e-3)
        assert found.truncated is not None
        assert found.truncated.tolist() == [False, False, False, True]
    masks = encoder.encode_tokens(["an ant"], role="query")[1][0]
    assert masks == ["[CLS]", "query", ":", "an", "ant", "[SEP]", *["[MASK]"] * 10]
    assert encoder.count_tokens(TEXTS, role="query") == [16] * 4
    assert encoder.count_tokens(TEXTS, role="document")[3] == 40


def test_lengths_and_prompts_are_options(colbert: Path) -> None:
    config = LateEncoderConfig(
        model=str(colbert), device="cpu", query_length=8, document_length=12, query_prompt=""
    )
    encoder = LateEncoder.load(config)
    queries = encoder.encode_tokens(["an ant", TEXTS[3]], role="query")
    assert [len(own) for own in queries[1]] == [8, 8]
    assert queries[1][0][:4] == ["[CLS]", "an", "ant", "[SEP]"]
    assert queries[0].truncated is not None
    assert queries[0].truncated.tolist() == [False, True]
    documents = encoder.encode_tokens([TEXTS[3]], role="document")[1][0]
    assert documents[1] == "passage"
    assert len(documents) <= 12
    fingerprint = encoder.fingerprint
    assert (fingerprint["query_length"], fingerprint["document_length"]) == (8, 12)
    assert fingerprint["query_prompt"] == ""
    assert (
        fingerprint
        != LateEncoder.load(LateEncoderConfig(model=str(colbert), device="cpu")).fingerprint
    )


def test_pooling_merges_vectors_of_documents_only(bi: LateEncoder) -> None:
    """The library's clustering merges document vectors; query vectors are unchanged."""
    config = LateEncoderConfig(device="cpu", pooling=3)
    pooled = LateEncoder(bi._model, config)
    whole, fewer = (one.encode(TEXTS, role="document") for one in (bi, pooled))
    assert whole.offsets is not None
    assert fewer.offsets is not None
    for before, after in zip(np.diff(whole.offsets), np.diff(fewer.offsets), strict=True):
        assert after == min(before, 1 + max(1, (before - 1) // 3))  # The first is not merged.
    assert pooled.encode_tokens(TEXTS[:1], role="document")[1] == [[]]
    lengths = np.linalg.norm(np.asarray(fewer.dense), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3)
    np.testing.assert_array_equal(
        pooled.encode(TEXTS, role="query").dense, bi.encode(TEXTS, role="query").dense
    )
    assert pooled.fingerprint != bi.fingerprint


def test_unknown_model_and_length_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        load_encoder(LateEncoderConfig(model="nowhere/at-all"))
    with pytest.raises(ConfigError, match="cannot read 4000 tokens"):
        load_encoder(LateEncoderConfig(document_length=4000, device="cpu"))


def test_fake_has_one_vector_for_each_word() -> None:
    encoder = load_token_encoder(LateEncoderConfig(model="fake", document_length=8))
    found, names = encoder.encode_tokens(["a b c d e f g h i", ""], role="document")
    assert names == [list("abcdefgh"), [""]]
    assert found.offsets is not None
    assert found.offsets.tolist() == [0, 8, 9]
    assert found.truncated is not None
    assert found.truncated.tolist() == [True, False]
    assert found.dense is not None
    np.testing.assert_allclose(np.linalg.norm(found.dense, axis=1), 1, atol=1e-3)
    query = encoder.encode(["b"], role="query").dense
    assert query is not None
    assert (query @ found.dense.T).argmax() == 1
