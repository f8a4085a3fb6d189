"""Compares likelihoods with one forward pass for each prompt and continuation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from twindex.core import InvalidInputError, ModelError
from twindex.llm import LikelihoodModel, Message, Prompt, find_weights
from twindex.llm.local import likelihood
from twindex.llm.local.causal import CausalModel

from ..house import scaled

TEXT = st.text("the cat. on", max_size=30)
PROMPT = st.one_of(TEXT, TEXT.map(lambda text: [Message("user", text)]))
CONTINUATION = st.text(" thecason?é", min_size=1, max_size=12)


@pytest.fixture(scope="module")
def tiny(tiny_llama: Path) -> CausalModel:
    return CausalModel.load(str(tiny_llama))


@pytest.fixture(scope="module")
def reference(tiny_llama: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(tiny_llama), AutoTokenizer.from_pretrained(
        tiny_llama
    )


def naive(reference: tuple[Any, Any], prompt: Prompt, continuation: str) -> tuple[float, int]:
    """Return log-likelihood and number of tokens from one forward pass."""
    model, tokenizer = reference
    text, special = prompt, True
    if not isinstance(prompt, str):
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        special = False
    kept = text.rstrip(" ") or text
    head = tokenizer(kept, add_special_tokens=special).input_ids
    whole = tokenizer(text + continuation, add_special_tokens=special).input_ids
    if whole[: len(head)] != head or len(whole) == len(head):
        alone = text[len(kept) :] + continuation
        whole = head + tokenizer(alone, add_special_tokens=False).input_ids
    with torch.inference_mode():
        scores = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
    places = range(len(head), len(whole))
    return sum(float(scores[place - 1, whole[place]]) for place in places), len(places)


def test_causal_model_implements_likelihood_model(tiny: CausalModel) -> None:
    model: LikelihoodModel = tiny
    assert "likelihood" in model.capabilities


@settings(max_examples=scaled(40), deadline=None)
@given(
    prompts=st.lists(PROMPT, min_size=1, max_size=4),
    continuations=st.lists(CONTINUATION, min_size=1, max_size=4),
    begin=st.sampled_from(["", "the cat sat on a mat, then he ate. in one word "]),
    budget=st.sampled_from([1, 40, 1_536]),
)
def test_likelihoods_equal_one_forward_pass_each(
    tiny: CausalModel,
    reference: tuple[Any, Any],
    prompts: list[Prompt],
    continuations: list[str],
    begin: str,
    budget: int,
) -> None:
    prompts = [begin + prompt if isinstance(prompt, str) else prompt for prompt in prompts]
    usual, tiny.batch_tokens = tiny.batch_tokens, budget
    try:
        found = tiny.likelihood(prompts, continuations)
    finally:
        tiny.batch_tokens = usual
    assert found.total.dtype == np.float64
    assert found.total.shape == found.tokens.shape == (len(prompts), len(continuations))
    for row, prompt in enumerate(prompts):
        for column, continuation in enumerate(continuations):
            total, count = naive(reference, prompt, continuation)
            assert abs(found.total[row, column] - total) < 1e-4
            assert found.tokens[row, column] == count
    assert found.usage.calls == len(prompts)


def test_shared_prefix_is_read_once(tiny: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = "then the cat sat on a mat, and ate. " * 2
    prompts = [begin + end for end in ("in one word", "the", "then he")]
    widths = []
    forward = tiny.forward

    def counted(ids: torch.Tensor, *arguments: Any, **options: Any) -> Any:
        widths.append(tuple(ids.shape))
        return forward(ids, *arguments, **options)

    monkeypatch.setattr(tiny, "forward", counted)
    found = tiny.likelihood(prompts, ["?", "!"])
    (one, prefix), (rows, rest) = widths  # the prefix and the batch; single tokens need no more
    assert (one, rows) == (1, 3)
    sizes = [1 + size for size in tiny.count_tokens(prompts)]
    assert prefix + rest == max(sizes)
    assert found.usage.prompt_tokens == sum(sizes)
    assert found.usage.cached_tokens == 2 * prefix
    assert found.usage.seconds > 0
    tiny.likelihood(prompts, ["?", " the cat ate"])
    assert len(widths) == 4  # known prefix; the batch, and the longer continuation
    assert widths[3][0] == 3


def test_empty_input_gives_empty_arrays(tiny: CausalModel) -> None:
    assert tiny.likelihood([], ["a"]).total.shape == (0, 1)
    assert tiny.likelihood(["a"], []).total.shape == (1, 0)


def test_invalid_input_is_refused(tiny: CausalModel) -> None:
    with pytest.raises(InvalidInputError, match=r"continuations\[1\]"):
        tiny.likelihood(["a"], ["b", ""])
    with pytest.raises(InvalidInputError, match=r"prompts\[1\].*accepts at most 256"):
        tiny.likelihood(["a", "b " * 300], ["c"])
    with pytest.raises(InvalidInputError, match="surrogate"):
        tiny.likelihood(["a"], ["\ud800"])


def test_continuation_without_tokens_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("x", "")
    shutil.copytree(tiny_llama, tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    model = CausalModel.load(str(tmp_path / "model"), device="cpu")
    with pytest.raises(InvalidInputError, match=r"continuations\[1\]: has no tokens"):
        model.likelihood(["the cat", "a"], [" sat", "xx"])


def test_many_positions_are_split_into_batches(
    tiny: CausalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts, continuations = ["the", "a mat"], [" the cat sat", "ate?", "x"]
    whole = tiny.likelihood(prompts, continuations)
    monkeypatch.setattr(likelihood, "POSITIONS", 1)
    assert np.allclose(tiny.likelihood(prompts, continuations).total, whole.total, atol=1e-5)


@pytest.mark.slow
def test_smollm2_prefers_the_right_answer() -> None:
    try:
        find_weights("SmolLM2-135M-Instruct", allow_download=False)
    except ModelError as error:
        pytest.skip(str(error))
    model = CausalModel.load("SmolLM2-135M-Instruct")
    reference = model._model, model._tokenizer._tokenizer
    prompts = ["The capital of France is ", [Message("user", "Is Paris in France? Yes or no?")]]
    continuations = ["Paris", "Berlin", "No, it is not"]
    found = model.likelihood(prompts, continuations)
    for row, prompt in enumerate(prompts):
        for column, continuation in enumerate(continuations):
            total, count = naive(reference, prompt, continuation)
            assert abs(found.total[row, column] - total) < 1e-3
            assert found.tokens[row, column] == count
    assert found.total[0].argmax() == 0
