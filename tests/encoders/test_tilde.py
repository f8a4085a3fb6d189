"""TILDEv2 encoders equal the definition, with a small real model and with trained weights."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, AutoTokenizer, BertConfig, BertModel

from twindex.core import ConfigError, ModelError
from twindex.encoders import TildeEncoderConfig, load_encoder
from twindex.encoders.tilde.encoder import TildeEncoder
from twindex.llm import find_weights

TEXTS = [
    "The nucleus is the control centre of a cell: the cell's genes are in the nucleus.",
    "What is a mitochondrion?",
    "",
    "so, 1984 re-read ##s",
]


@pytest.fixture(scope="module")
def tilde() -> TildeEncoder:
    return TildeEncoder.load(TildeEncoderConfig(device="cpu"))


@pytest.fixture(scope="module")
def parts():
    folder = find_weights("splade-tiny")
    return AutoTokenizer.from_pretrained(folder), AutoModelForMaskedLM.from_pretrained(
        folder
    ).eval()


def of(encoder: TildeEncoder, text: str, role: str = "document") -> dict[str, float]:
    sparse = encoder.encode([text], role=role).sparse
    assert sparse is not None
    return {
        encoder.term(i): float(w)
        for i, w in zip(sparse.indices.tolist(), sparse.data.tolist(), strict=True)
    }


def test_weights_come_from_logits_of_own_tokens(tilde: TildeEncoder, parts) -> None:
    tokenizer, model = parts
    for text in TEXTS:
        ids = tokenizer(text).input_ids
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0]
        expected: dict[str, float] = {}
        for position, token in list(enumerate(ids))[1:-1]:
            weight = float(torch.log1p(torch.relu(logits[position, token])))
            if weight > 0 and token not in tilde.stop:
                name = tokenizer.convert_ids_to_tokens(token)
                expected[name] = max(weight, expected.get(name, 0.0))
        assert of(tilde, text) == pytest.approx(expected, rel=1e-4)


def test_query_is_the_bag_of_its_tokens(tilde: TildeEncoder, parts) -> None:
    tokenizer, _ = parts
    text = "what is the nucleus of a cell, and of the cell?"
    kept = [t for t in tokenizer.tokenize(text) if t in ("what", "nucleus", "cell")]
    assert of(tilde, text, "query") == {"what": 1.0, "nucleus": 1.0, "cell": 2.0} == Counter(kept)


def test_score_equals_the_definition(tilde: TildeEncoder) -> None:
    query, passage = TEXTS[1] + " nucleus cell cell", TEXTS[0]
    counts, weights = of(tilde, query, "query"), of(tilde, passage)
    sparse = [
        tilde.encode([t], role=r).sparse for t, r in ((query, "query"), (passage, "document"))
    ]
    score = float((sparse[0] @ sparse[1].T).toarray()[0, 0])
    assert score == pytest.approx(sum(n * weights.get(t, 0.0) for t, n in counts.items()), rel=1e-5)
    assert score > 2


def test_stop_tokens(tilde: TildeEncoder, parts) -> None:
    vocabulary = parts[0].get_vocab()
    stopped = {name for name, token in vocabulary.items() if token in tilde.stop}
    assert {"the", "##s", "[CLS]", "[SEP]", "[unused5]", ",", "##\u2044", "of"} <= stopped | {
        "##\u2044"
    }
    assert (
        not {"what", "who", "why", "how", "when", "where", "which", "cell", "##ing", "1984"}
        & stopped
    )
    # The published code agrees for words of ASCII letters.
    ascii_words = {n for n in vocabulary if re.fullmatch(r"[A-Za-z0-9]+", n)}
    assert len(ascii_words & stopped) < 150
    everything = load_encoder(TildeEncoderConfig(language="none", device="cpu"))
    assert isinstance(everything, TildeEncoder)
    assert vocabulary["the"] not in everything.stop


def test_long_texts_are_truncated_and_marked(tilde: TildeEncoder) -> None:
    found = tilde.encode(["ant " * 600, "ant"], role="document")
    assert found.truncated is not None
    assert found.truncated.tolist() == [True, False]
    short = TildeEncoder.load(TildeEncoderConfig(max_length=8, device="cpu"))
    assert set(of(short, "ant bee wasp fly moth dragon cat")) <= {
        "ant",
        "bee",
        "wasp",
        "fly",
        "moth",
        "dragon",
    }
    assert short.encode(["ant " * 6, "ant " * 7], role="document").truncated.tolist() == [
        False,
        True,
    ]
    assert short.encode(["ant " * 600], role="query").truncated.tolist() == [False]
    assert short.count_tokens(["ant " * 9, "ant"], role="document") == [8, 3]
    assert short.count_tokens(["ant " * 9], role="query") == [0]
    with pytest.raises(
        ConfigError, match=r"at most 512 \(the limit of model 'splade-tiny'\), got 513"
    ):
        TildeEncoder.load(TildeEncoderConfig(max_length=513, device="cpu"))


@pytest.mark.parametrize("reading", ["max", "first"])
def test_expansion_adds_likely_tokens_and_weighs_them(reading: str, parts) -> None:
    tokenizer, model = parts
    config = TildeEncoderConfig(expansion=50, expansion_reading=reading, device="cpu")
    encoder = TildeEncoder.load(config)
    text = TEXTS[0]
    ids = tokenizer(text).input_ids
    read = [1, *ids[1:]] if reading == "first" else ids
    with torch.inference_mode():
        logits = model(torch.tensor([read])).logits[0]
        likely = (logits[0] if reading == "first" else logits.amax(dim=0)).topk(50).indices.tolist()
    question = {tokenizer.vocab[w] for w in ("what", "who", "why", "how", "when", "where", "which")}
    new = [t for t in likely if t not in {*ids, *encoder.stop, *question}]
    whole = [*ids, *new, tokenizer.sep_token_id]
    with torch.inference_mode():
        logits = model(torch.tensor([whole])).logits[0]
    expected: dict[str, float] = {}
    for position, token in enumerate(whole):
        weight = float(torch.log1p(torch.relu(logits[position, token])))
        if token not in encoder.stop and weight > 0:
            name = tokenizer.convert_ids_to_tokens(token)
            expected[name] = max(weight, expected.get(name, 0.0))
    assert len(new) > 5
    assert of(encoder, text) == pytest.approx(expected, rel=1e-3)
    assert encoder.fingerprint != TildeEncoder.load(TildeEncoderConfig(device="cpu")).fingerprint


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the format of the published TILDEv2: a BERT under `bert.`, and `tok_proj`."""
    folder = tmp_path_factory.mktemp("tildev2")
    torch.manual_seed(0)
    vocabulary = len(AutoTokenizer.from_pretrained(find_weights("splade-tiny")))
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, architectures=["TILDEv2"], initializer_range=0.5,
    )  # fmt: skip
    body = BertModel(config)
    state = {f"bert.{name}": value.contiguous() for name, value in body.state_dict().items()}
    state["tok_proj.weight"] = torch.randn(1, 16)
    state["tok_proj.bias"] = torch.tensor([5.0])
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    config.save_pretrained(folder)
    AutoTokenizer.from_pretrained(find_weights("splade-tiny")).save_pretrained(folder)
    return folder


def test_trained_weights_are_used_if_the_folder_has_them(trained: Path) -> None:
    state = load_file(trained / "model.safetensors")
    folder = trained
    encoder = TildeEncoder.load(TildeEncoderConfig(model=str(folder), device="cpu"))
    assert encoder.trained
    assert encoder.fingerprint["trained"]
    body = BertModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(TEXTS[0]).input_ids
    with torch.inference_mode():
        states = body(torch.tensor([ids])).last_hidden_state[0]
    weights = torch.relu(states @ state["tok_proj.weight"][0] + state["tok_proj.bias"]).tolist()
    expected: dict[str, float] = {}
    for token, weight in zip(ids, weights, strict=True):
        name = tokenizer.convert_ids_to_tokens(token)
        if token not in encoder.stop and weight > 0:
            expected[name] = max(weight, expected.get(name, 0.0))
    assert expected
    assert of(encoder, TEXTS[0]) == pytest.approx(expected, rel=1e-4)


def test_unusable_models_are_rejected(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expansion_model"):
        load_encoder(TildeEncoderConfig(model=str(trained), expansion=10))
    with pytest.raises(ModelError, match="not on this machine"):
        load_encoder(TildeEncoderConfig(model="no/where"))
    for file in trained.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = load_file(trained / "model.safetensors")
    del state["tok_proj.bias"]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"has tok_proj\.weight, but it must have all of"):
        load_encoder(TildeEncoderConfig(model=str(tmp_path)))
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read"):
        load_encoder(TildeEncoderConfig(model=str(tmp_path)))
    with pytest.raises(ModelError, match="no language-model head"):
        load_encoder(TildeEncoderConfig(model="all-MiniLM-L6-v2", device="cpu")).encode(
            ["a"], role="document"
        )


def test_trained_weights_expand_with_another_model(trained: Path) -> None:
    config = TildeEncoderConfig(
        model=str(trained), expansion=40, expansion_model="splade-tiny", device="cpu"
    )
    encoder = TildeEncoder.load(config)
    plain = TildeEncoder.load(TildeEncoderConfig(model=str(trained), device="cpu"))
    assert set(of(encoder, TEXTS[0])) - set(of(plain, TEXTS[0]))
    assert encoder.fingerprint["expansion_reading"] == "first"
    assert json.dumps(dict(encoder.fingerprint))
    assert np.all(np.asarray(list(of(encoder, TEXTS[0]).values())) > 0)
