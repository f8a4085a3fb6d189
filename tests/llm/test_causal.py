"""Compares the states of causal models with transformers, which reads one text at a time."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from twindex.core import ConfigError, InvalidInputError, ModelError
from twindex.llm import States
from twindex.llm.local import causal
from twindex.llm.local.causal import CausalModel

from ..house import scaled

Row = list[int]


@pytest.fixture(scope="module")
def tiny(tiny_llama: Path) -> CausalModel:
    return CausalModel.load(str(tiny_llama), device="cpu")


def reference_steps(
    model: CausalModel, row: Row, steps: int, ends: set[int]
) -> tuple[Any, Any, Row]:
    """Return hidden states, logits and tokens of greedy steps. Each step reads the whole row."""
    hidden, logits, tokens = [], [], []
    row = list(row)
    for _ in range(steps):
        with torch.inference_mode():
            found = model._model(torch.tensor([row]), output_hidden_states=True, use_cache=False)
        hidden.append(found.hidden_states[-1][0, -1].float().numpy())
        logits.append(found.logits[0, -1].float().numpy())
        tokens.append(int(logits[-1].argmax()))
        row.append(tokens[-1])
        if tokens[-1] in ends:
            break
    return np.array(hidden), np.array(logits), tokens


def check_states(model: CausalModel, states: States, rows: list[Row], ends: set[int]) -> None:
    """Check that states equal those of the reference and are zero after the last step."""
    for number, row in enumerate(rows):
        hidden, logits, tokens = reference_steps(model, row, states.hidden.shape[1], ends)
        count = len(tokens)
        assert states.steps[number] == count
        assert_array_equal(states.tokens[number, :count], tokens)
        assert_allclose(states.hidden[number, :count], hidden, atol=1e-4)
        assert_allclose(states.logits[number, :count], logits, atol=1e-4)
        assert not states.hidden[number, count:].any()
        assert not states.logits[number, count:].any()
        assert not states.tokens[number, count:].any()


row = st.lists(st.integers(3, 282), max_size=12)


@given(
    texts=st.lists(row, min_size=1, max_size=5),
    prefix=row,
    suffix=row,
    steps=st.integers(1, 5),
    stop=st.sets(st.integers(3, 282), max_size=60),
)
@settings(deadline=None, max_examples=scaled(60))
def test_states_equal_those_of_transformers(
    tiny: CausalModel, texts: list[Row], prefix: Row, suffix: Row, steps: int, stop: set[int]
) -> None:
    if not all([*prefix, *text, *suffix] for text in texts):
        with pytest.raises(InvalidInputError, match="at least one token"):
            tiny.read(texts, prefix=prefix, suffix=suffix)
        return
    states = tiny.read(texts, prefix=prefix, suffix=suffix, steps=steps, stop=stop)
    rows = [[*prefix, *text, *suffix] for text in texts]
    check_states(tiny, states, rows, {*tiny.ends, *stop})


COMMON = {
    "vocab_size": 60,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
KINDS = {
    "a window that slides": transformers.MistralConfig(**COMMON, sliding_window=5),
    "layers of two kinds, logits capped": transformers.Gemma2Config(
        **COMMON, head_dim=4, sliding_window=5, final_logit_softcapping=0.5
    ),
    "learned positions": transformers.GPT2Config(
        vocab_size=60, n_embd=16, n_layer=2, n_head=4, n_positions=64, eos_token_id=2
    ),
    "experts": transformers.MixtralConfig(**COMMON, num_local_experts=3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_states_of_other_architectures(kind: str, tiny_llama: Path, tmp_path: Path) -> None:
    model = CausalModel.load(saved(KINDS[kind], tiny_llama, tmp_path), device="cpu")
    generator = np.random.default_rng(3)
    prefix = generator.integers(3, 60, 4).tolist()
    texts = [generator.integers(3, 60, size).tolist() for size in (9, 1, 14)]
    states = model.read(texts, prefix=prefix, steps=6)
    check_states(model, states, [[*prefix, *text] for text in texts], set(model.ends))


def saved(config: Any, tokenizer: Path, folder: Path) -> str:
    """Save a model with random weights and a tokenizer, and return the folder."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for file in tokenizer.glob("tokenizer*"):
        shutil.copy(file, folder)
    return str(folder)


def test_models_with_a_recurrent_state_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    config = transformers.MambaConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, state_size=4
    )
    with pytest.raises(ModelError, match="recurrent state"):
        CausalModel.load(saved(config, tiny_llama, tmp_path), device="cpu")


def test_feed_accepts_rows_of_different_lengths(tiny: CausalModel) -> None:
    """Rows are selected and repeated, continue by different numbers of tokens, then by one each."""
    decoding = tiny.start([[5, 6], [7, 8, 9, 10]], prefix=[11, 12, 13])
    decoding = decoding.select([1, 0, 0])
    assert decoding.lengths == [7, 5, 5]
    added = [[20], [21, 22, 23], [24, 25]]
    logits = decoding.feed(added)
    decoding.step([30, 31, 32])
    heads = [[11, 12, 13, 7, 8, 9, 10], [11, 12, 13, 5, 6], [11, 12, 13, 5, 6]]
    for number, (head, tail) in enumerate(zip(heads, added, strict=True)):
        ids = torch.tensor([[*head, *tail, 30 + number]])
        with torch.inference_mode():
            whole = tiny._model(ids, output_hidden_states=True)
        places = whole.logits[0, len(head) : -1]
        assert_allclose(logits[number, : len(tail)], places, atol=1e-4)
        assert_allclose(decoding.logits[number], whole.logits[0, -1], atol=1e-4)
        assert_allclose(decoding.hidden[number], whole.hidden_states[-1][0, -1], atol=1e-4)
    assert decoding.lengths == [9, 9, 8]
    assert (decoding.usage.prompt_tokens, decoding.usage.completion_tokens) == (6, 3)
    with pytest.raises(InvalidInputError, match="each of the 3 prompts requires at least one tok"):
        decoding.feed([[1], [2], []])


def test_prefix_is_read_once(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = CausalModel.load(str(tiny_llama), device="cpu")
    read: list[tuple[int, ...]] = []
    forward = model.forward
    monkeypatch.setattr(
        model,
        "forward",
        lambda ids, *more, **options: (
            read.append(tuple(ids.shape)),
            forward(ids, *more, **options),
        )[1],
    )
    first = model.read([[5, 6, 7], [8]], prefix=[20, 21], suffix=[30])
    second = model.read([[5, 6, 7], [8]], prefix=[20, 21], suffix=[30])
    assert read == [(1, 2), (2, 4), (2, 4)]
    assert_array_equal(first.logits, second.logits)
    assert (first.usage.calls, first.usage.prompt_tokens, first.usage.cached_tokens) == (2, 10, 2)
    assert second.usage.cached_tokens == 4
    plain = model.read([[20, 21, 5, 6, 7], [20, 21, 8]], suffix=[30])
    assert plain.usage.cached_tokens == 0
    assert_allclose(first.hidden, plain.hidden, atol=1e-5)
    for start in range(3, 30):
        model.read([[5]], prefix=[start, start])
    assert len(model._prefixes) == 8


def test_kept_prefixes_are_limited_by_tokens(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causal, "PREFIX_TOKENS", 20)
    model = CausalModel.load(str(tiny_llama), device="cpu")
    for size in (3, 9, 8, 30):
        found = model.read([[5], [6, 7]], prefix=[8] * size)
        plain = model.read([[8] * size + [5], [8] * size + [6, 7]])
        assert_allclose(found.hidden, plain.hidden, atol=1e-5)
        assert sum(map(len, model._prefixes)) <= 20
        assert len(model._prefixes) == {3: 1, 9: 2, 8: 3, 30: 0}[size]


def test_finished_rows_are_not_read(tiny: CausalModel) -> None:
    texts = [[5, 6], [7, 8, 9], [10]]
    chosen = tiny.read(texts).tokens[:, 0]
    states = tiny.read(texts, steps=4, stop={int(chosen[1])})
    assert states.steps[1] == 1
    assert states.usage.completion_tokens == int((states.steps - 1).sum())


def test_read_accepts_no_texts_but_not_zero_steps(tiny: CausalModel) -> None:
    states = tiny.read([])
    assert states.hidden.shape == (0, 1, 32)
    assert states.logits.shape == (0, 1, tiny.vocabulary)
    with pytest.raises(InvalidInputError, match="steps: must be at least 1, got 0"):
        tiny.read([[5]], steps=0)


def test_text_longer_than_the_limit_is_refused(tiny: CausalModel) -> None:
    tiny.read([[5] * 250], prefix=[6, 6], suffix=[7, 7], steps=3)  # 256 in all
    with pytest.raises(InvalidInputError, match=r"texts\[1\]: has 251 tokens.* add 6, .* 256;"):
        tiny.read([[5], [5] * 251], prefix=[6, 6], suffix=[7, 7], steps=3)
    with pytest.raises(InvalidInputError, match=r"has 257 tokens, but .* accepts at most 256"):
        tiny.start([[5] * 256]).step([3])


def test_threads_get_equal_states(tiny: CausalModel) -> None:
    generator = np.random.default_rng(0)
    texts = [generator.integers(3, 283, size).tolist() for size in (3, 9, 4, 7) * 4]
    alone = [tiny.read([text], prefix=[text[0]], steps=3) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(lambda text: tiny.read([text], prefix=[text[0]], steps=3), texts))
    for one, other in zip(alone, beside, strict=True):
        assert_array_equal(one.tokens, other.tokens)
        assert_allclose(one.logits, other.logits, atol=1e-5)


def test_bfloat16_is_close_to_float32(tiny: CausalModel, tiny_llama: Path) -> None:
    reduced = CausalModel.load(str(tiny_llama), precision="bfloat16", device="cpu")
    texts = [[5, 6, 7, 8], [9, 10]]
    exact, close = tiny.read(texts), reduced.read(texts)
    assert close.hidden.dtype == close.logits.dtype == np.float32
    assert 1e-4 < np.abs(exact.hidden - close.hidden).max() < 0.1
    assert reduced.fingerprint == {**tiny.fingerprint, "precision": "bfloat16"}


def test_copied_weights_have_equal_fingerprints(
    tiny: CausalModel, tiny_llama: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_llama, tmp_path / tiny_llama.name)
    other = CausalModel.load(str(tmp_path / tiny_llama.name), device="cpu")
    assert other.fingerprint == tiny.fingerprint
    assert tiny.mask is None
    assert (tiny.vocabulary, tiny.dimensions) == (283, 32)
    assert tiny.count_tokens(["the cat", ""]) == [len(tiny.tokenize(["the cat"])[0]), 0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_without_a_device_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match="device: this machine has no CUDA device"):
        CausalModel.load(str(tiny_llama), device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("precision", "far"), [("float32", 1e-3), ("bfloat16", 0.1)])
def test_cuda_equals_cpu(tiny: CausalModel, tiny_llama: Path, precision: Any, far: float) -> None:
    model = CausalModel.load(str(tiny_llama), precision=precision, device="cuda")
    texts = [[5, 6, 7, 8], [9, 10]]
    exact, close = tiny.read(texts, prefix=[20, 21]), model.read(texts, prefix=[20, 21], steps=1)
    assert_allclose(exact.hidden, close.hidden, atol=far)
    with pytest.raises(ConfigError, match="precision: int8 runs only on the CPU"):
        CausalModel.load(str(tiny_llama), precision="int8", device="cuda")
