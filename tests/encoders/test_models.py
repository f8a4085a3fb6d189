"""Encoders with real models equal sentence-transformers and apply every option."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from twindex.core import ConfigError, InvalidInputError, ModelError, Role
from twindex.encoders import DenseEncoderConfig, Encoder, SparseEncoderConfig, load_encoder
from twindex.llm import WHEELS, find_weights
from twindex.llm.weights import places as weights

SENTENCES = [
    "Aspirin inhibits the production of prostaglandins.",
    "The wing of a slipstream, measured at Mach 2.5",
    "Die Würde des Menschen ist unantastbar.",
    "東京は日本の首都です。",
    "emoji \U0001f600 and e\u0301 and ﬁ",
    "tabs\tand\nlines\r\n",
    "http://example.org/?q=1&r=2 user@example.org",
    "x",
    " ",
    "",
    "\u0000\u0007",
    "a" * 300,
]
TEXTS = [
    *SENTENCES,
    *(" ".join(SENTENCES[:3]) * n for n in range(1, 12)),
    *(f"number {n} " * n for n in range(8)),
]


@pytest.fixture(scope="module", autouse=True)
def _needs_weights() -> None:
    for name in ("all-MiniLM-L6-v2", "splade-tiny"):
        if weights._member(WHEELS[name]) is None:
            pytest.skip(f"needs the weight wheel: {WHEELS[name].install}")


def plain(kind: str, name: str, **options: Any) -> Any:
    """Return the model as loaded by sentence-transformers."""
    import sentence_transformers

    folder = find_weights(name)
    return getattr(sentence_transformers, kind)(
        str(folder), device="cpu", local_files_only=True, **options
    )


def dense(encoder: Encoder, texts: Sequence[str], role: Role = "document") -> NDArray[np.float32]:
    vectors = encoder.encode(texts, role=role).dense
    assert vectors is not None
    return vectors


def sparse(encoder: Encoder, texts: Sequence[str], role: Role = "document") -> csr_array:
    rows = encoder.encode(texts, role=role).sparse
    assert rows is not None
    return rows


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return load_encoder(DenseEncoderConfig(device="cpu"))


@pytest.fixture(scope="module")
def splade() -> Encoder:
    return load_encoder(SparseEncoderConfig(device="cpu"))


def test_dense_equals_the_library(minilm: Encoder) -> None:
    reference = plain("SentenceTransformer", "all-MiniLM-L6-v2").encode(TEXTS, batch_size=1)
    found = dense(minilm, TEXTS)
    assert found.dtype == np.float32
    assert np.abs(found - reference).max() < 1e-5
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_sparse_equals_the_library(splade: Encoder) -> None:
    reference = plain("SparseEncoder", "splade-tiny").encode(TEXTS, batch_size=1).to_dense().numpy()
    found = sparse(splade, TEXTS)
    assert found.dtype == np.float32
    assert found.has_sorted_indices
    assert found.data.min() > 0
    assert np.abs(found.toarray() - reference).max() < 1e-4


@pytest.mark.parametrize("name", ["minilm", "splade"])
def test_encode_marks_truncated_texts(name: str, request: pytest.FixtureRequest) -> None:
    encoder: Encoder = request.getfixturevalue(name)
    limit = encoder.fingerprint["max_length"]
    texts = ["word " * (limit - 2), "word " * (limit - 1), "", "word " * 5_000]
    truncated = encoder.encode(texts, role="document").truncated
    assert truncated is not None
    assert truncated.tolist() == [False, True, False, True]


@pytest.mark.parametrize("name", ["minilm", "splade"])
def test_empty_batch_and_progress(name: str, request: pytest.FixtureRequest) -> None:
    encoder: Encoder = request.getfixturevalue(name)
    empty = encoder.encode([], role="query")
    assert len(empty) == 0
    done: list[int] = []
    encoder.encode(TEXTS, role="document", advance=done.append)
    assert sum(done) == len(TEXTS)
    assert len(done) > 1


@pytest.mark.parametrize("name", ["minilm", "splade"])
def test_lone_surrogate_is_rejected(name: str, request: pytest.FixtureRequest) -> None:
    encoder: Encoder = request.getfixturevalue(name)
    with pytest.raises(InvalidInputError) as error:
        encoder.encode(["fine", "not \ud800"], role="document")
    assert error.value.field == "texts[1]"


def test_texts_of_several_windows_keep_their_order(
    splade: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twindex.encoders.text_model.WINDOW", 3)
    assert np.abs((sparse(splade, TEXTS[:10]) - sparse(splade, TEXTS[:10])).toarray()).max() == 0
    for number, text in enumerate(TEXTS[:10]):
        alone = sparse(splade, [text]).toarray()[0]
        assert np.abs(sparse(splade, TEXTS[:10]).toarray()[number] - alone).max() < 1e-4


def test_configured_prompts_are_put_before_texts(minilm: Encoder) -> None:
    config = DenseEncoderConfig(query_prompt="query: ", document_prompt="passage: ", device="cpu")
    encoder = load_encoder(config)
    assert np.allclose(dense(encoder, ["a"], "query"), dense(minilm, ["query: a"]), atol=1e-5)
    assert np.allclose(dense(encoder, ["a"]), dense(minilm, ["passage: a"]), atol=1e-5)
    assert encoder.fingerprint != minilm.fingerprint


def test_models_own_prompts_are_the_default(tmp_path: Path, minilm: Encoder) -> None:
    reference = plain("SentenceTransformer", "all-MiniLM-L6-v2")
    reference.prompts = {"query": "query: ", "passage": "passage: "}
    reference.save_pretrained(str(tmp_path), create_model_card=False)
    own = load_encoder(DenseEncoderConfig(model=str(tmp_path), device="cpu"))
    assert np.allclose(dense(own, ["a"], "query"), dense(minilm, ["query: a"]), atol=1e-5)
    assert np.allclose(dense(own, ["a"]), dense(minilm, ["passage: a"]), atol=1e-5)
    assert own.fingerprint["query_prompt"] == "query: "
    none = {"query_prompt": "", "document_prompt": ""}
    bare = load_encoder(DenseEncoderConfig(model=str(tmp_path), device="cpu", **none))
    assert np.allclose(dense(bare, ["a"], "query"), dense(minilm, ["a"], "query"), atol=1e-5)


def test_pooling_can_exclude_the_prompt(tmp_path: Path) -> None:
    """Models such as INSTRUCTOR exclude the prompt from pooling."""
    reference = plain("SentenceTransformer", "all-MiniLM-L6-v2")
    reference[1].include_prompt = False
    reference.save_pretrained(str(tmp_path), create_model_card=False)
    config = DenseEncoderConfig(model=str(tmp_path), document_prompt="passage: ", device="cpu")
    wanted = reference.encode(TEXTS[:5], prompt="passage: ")
    assert np.abs(dense(load_encoder(config), TEXTS[:5]) - wanted).max() < 1e-5


def test_normalization_can_be_turned_off(minilm: Encoder) -> None:
    raw = dense(load_encoder(DenseEncoderConfig(normalize=False, device="cpu")), TEXTS[:4])
    length = np.linalg.norm(raw, axis=1, keepdims=True)
    assert np.abs(length - 1).min() > 0.1
    assert np.allclose(raw / length, dense(minilm, TEXTS[:4]), atol=1e-5)


def test_max_length_truncates_and_extends(minilm: Encoder) -> None:
    encoder = load_encoder(DenseEncoderConfig(max_length=8, device="cpu"))
    cut = dense(encoder, ["one two three four five six seven"])
    assert np.allclose(cut, dense(minilm, ["one two three four five six"]), atol=1e-5)
    longer = load_encoder(DenseEncoderConfig(max_length=512, device="cpu"))
    text = "Many different words make a long text. " * 40
    assert longer.encode([text], role="document").truncated == [False]
    reference = plain("SentenceTransformer", "all-MiniLM-L6-v2")
    reference.max_seq_length = 512
    assert np.allclose(dense(longer, [text]), reference.encode([text]), atol=1e-5)
    with pytest.raises(ConfigError, match="max_length"):
        load_encoder(DenseEncoderConfig(max_length=513, device="cpu"))


@pytest.mark.slow
def test_top_terms_keep_the_largest_weights(splade: Encoder) -> None:
    full = sparse(splade, TEXTS)
    encoder = load_encoder(SparseEncoderConfig(top_terms=5, query_top_terms=2, device="cpu"))
    documents, queries = sparse(encoder, TEXTS), sparse(encoder, TEXTS, "query")
    assert np.diff(documents.indptr).max() == 5
    assert np.diff(queries.indptr).max() == 2
    for row in range(len(TEXTS)):
        part = slice(documents.indptr[row], documents.indptr[row + 1])
        whole = np.sort(full.data[full.indptr[row] : full.indptr[row + 1]])[::-1]
        assert np.allclose(np.sort(documents.data[part])[::-1], whole[:5], atol=1e-4)


def test_term_returns_the_vocabulary_piece(splade: Encoder, minilm: Encoder) -> None:
    row = sparse(splade, ["the capital of France is Paris"])
    heaviest = splade.term(int(row.indices[row.data.argmax()]))
    assert heaviest in {"paris", "france", "capital"}
    for index in (-1, 30_522):
        with pytest.raises(InvalidInputError, match="index"):
            splade.term(index)
    with pytest.raises(InvalidInputError):
        minilm.term(0)


@pytest.mark.parametrize(
    ("architecture", "head"),
    [
        ("Bert", True),
        ("DistilBert", True),
        ("Roberta", True),
        ("ModernBert", True),
        ("Electra", False),  # Not in HEADS, so the library computes the weights.
    ],
)
def test_fast_head_equals_the_library(architecture: str, head: bool, tmp_path: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocab_size": 30_522, "hidden_size": 32, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2, "intermediate_size": 64, "pad_token_id": 0}
    if architecture == "DistilBert":
        sizes = {"vocab_size": 30_522, "dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64}
    if architecture == "ModernBert":
        sizes |= {"bos_token_id": 101, "eos_token_id": 102, "cls_token_id": 101}
        sizes |= {"sep_token_id": 102}
    config = getattr(transformers, f"{architecture}Config")(**sizes)
    network = getattr(transformers, f"{architecture}ForMaskedLM")(config).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "bias" in name:  # A forgotten bias must change the result.
                parameter.uniform_(-0.1, 0.1)
    network.save_pretrained(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(find_weights("splade-tiny"))
    tokenizer.save_pretrained(tmp_path)

    texts = ["some words", "other words that are more", "one"]
    reference = plain("SparseEncoder", str(tmp_path)).encode(texts).to_dense().numpy()
    encoder = load_encoder(SparseEncoderConfig(model=str(tmp_path), max_length=64, device="cpu"))
    assert (encoder._head is not None) is head  # type: ignore[attr-defined]
    assert np.abs(sparse(encoder, texts).toarray() - reference).max() < 1e-4


def test_sum_pooling_equals_the_library(tmp_path: Path) -> None:
    reference = plain("SparseEncoder", "splade-tiny")
    reference[1].pooling_strategy = "sum"
    reference.save_pretrained(str(tmp_path), create_model_card=False)
    encoder = load_encoder(SparseEncoderConfig(model=str(tmp_path), device="cpu"))
    wanted = reference.encode(TEXTS[:5]).to_dense().numpy()
    assert np.abs(sparse(encoder, TEXTS[:5]).toarray() - wanted).max() < 1e-3


def test_bfloat16_is_close_to_float32(minilm: Encoder, splade: Encoder) -> None:
    near = load_encoder(DenseEncoderConfig(precision="bfloat16", device="cpu"))
    cosines = (dense(near, TEXTS[:6]) * dense(minilm, TEXTS[:6])).sum(axis=1)
    assert cosines.min() > 0.999
    assert near.fingerprint != minilm.fingerprint
    rough = load_encoder(SparseEncoderConfig(precision="bfloat16", device="cpu"))
    difference = sparse(rough, TEXTS[:6]).toarray() - sparse(splade, TEXTS[:6]).toarray()
    assert np.abs(difference).max() < 0.1


def test_threads_get_the_same_results(minilm: Encoder, splade: Encoder) -> None:
    alone = dense(minilm, TEXTS[:6]), sparse(splade, TEXTS[:6]).toarray()

    def work(number: int) -> float:
        texts = TEXTS[:6]
        if number % 2:
            return float(np.abs(dense(minilm, texts) - alone[0]).max())
        return float(np.abs(sparse(splade, texts).toarray() - alone[1]).max())

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(work, range(16))) < 1e-5


def test_fingerprint_depends_on_weights_not_on_path(tmp_path: Path, minilm: Encoder) -> None:
    import shutil

    folder = tmp_path / "all-MiniLM-L6-v2"
    shutil.copytree(find_weights("all-MiniLM-L6-v2"), folder)
    config = DenseEncoderConfig(model=str(folder), device="auto")
    assert load_encoder(config).fingerprint == minilm.fingerprint
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert load_encoder(config).fingerprint != minilm.fingerprint


def test_folder_without_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_encoder(DenseEncoderConfig(model=str(tmp_path)))


def test_model_without_transformer_is_rejected(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(find_weights("splade-tiny") / "tokenizer.json"))
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)])
    model.save_pretrained(str(tmp_path), create_model_card=False)
    with pytest.raises(ModelError, match="StaticEmbedding"):
        load_encoder(DenseEncoderConfig(model=str(tmp_path)))


def test_loading_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    load_encoder(SparseEncoderConfig()).encode(["a"], role="query")
    assert capfd.readouterr() == ("", "")
