"""Compares generated text with transformers, for a tiny random Llama and for SmolLM2."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from twindex.core import InvalidInputError, ModelError
from twindex.llm import GenerativeModel, Message, Prompt, Sampling, find_weights
from twindex.llm.local import generation
from twindex.llm.local.causal import CausalModel
from twindex.llm.local.decoding import Decoding
from twindex.llm.local.generation import choose
from twindex.llm.stopping import CallerLeft, ended_by

from ..house import scaled

PROMPTS: list[Prompt] = [
    "the cat sat",
    "then he ate. on a mat, in one word the cat",
    [Message("user", "the cat?")],
    [Message("system", "on a mat"), Message("user", "in one word?"), Message("assistant", "the ")],
    " ",
    "né 😀",
]


@pytest.fixture(scope="module")
def tiny(tiny_llama: Path) -> CausalModel:
    return CausalModel.load(str(tiny_llama))


@pytest.fixture(scope="module")
def reference(tiny_llama: Path) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(tiny_llama)
    return model, AutoTokenizer.from_pretrained(tiny_llama)


def greedy(
    reference: tuple[Any, Any], prompt: Prompt, count: int, special: Collection[int] = ()
) -> tuple[str, int]:
    """Return the text that transformers generates, without special tokens, and its token count."""
    model, tokenizer = reference
    if isinstance(prompt, str):
        read = tokenizer(prompt).input_ids
    else:
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        continued = prompt[-1].role == "assistant"
        text = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=not continued, continue_final_message=False
        )
        text = text.removesuffix("<|im_end|>\n") if continued else text
        read = tokenizer(text, add_special_tokens=False).input_ids
    ids = torch.tensor([read])
    whole = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count
    )[0].tolist()
    new = whole[len(read) :]
    special = {*special, *tokenizer.all_special_ids}
    shown = [token for token in new if token not in special]
    before = tokenizer.decode(read)
    return tokenizer.decode(read + shown)[len(before) :].rstrip("\ufffd"), len(new)


def test_causal_model_implements_generative_model(tiny: CausalModel) -> None:
    model: GenerativeModel = tiny
    assert "generate" in model.capabilities


def test_greedy_text_equals_that_of_transformers(
    tiny: CausalModel, reference: tuple[Any, Any]
) -> None:
    answers = tiny.generate(PROMPTS, Sampling(max_tokens=24))
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        text, count = greedy(reference, prompt, 24)
        assert answer.text == text
        assert answer.usage.completion_tokens == count
        assert answer.finish == ("length" if count == 24 else "stop")


def test_end_tokens_finish_a_text(tiny: CausalModel, reference: tuple[Any, Any]) -> None:
    """If every tenth token ends a text, some texts of a batch end early and others continue."""
    before, config = tiny.ends, reference[0].generation_config
    try:
        tiny.ends = frozenset(range(0, 300, 10))
        config.eos_token_id = sorted(tiny.ends)
        answers = tiny.generate(PROMPTS, Sampling(max_tokens=24))
        counts = set()
        for prompt, answer in zip(PROMPTS, answers, strict=True):
            text, count = greedy(reference, prompt, 24)
            if count < 24:  # transformers' text has the token that ended it
                assert answer.finish == "stop"
                assert text.startswith(answer.text)
            assert answer.usage.completion_tokens == count
            counts.add(count)
        assert len(counts) > 2
    finally:
        tiny.ends, config.eos_token_id = before, 2


def test_special_tokens_are_left_out_of_the_text(
    tiny: CausalModel, reference: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    special = frozenset(range(0, 300, 3))
    monkeypatch.setattr(tiny._tokenizer, "special_tokens", special)
    for prompt, answer in zip(PROMPTS, tiny.generate(PROMPTS, Sampling(24)), strict=True):
        assert answer.text == greedy(reference, prompt, 24, special)[0]


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_batch_equals_single_prompts(
    tiny: CausalModel, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = Sampling(max_tokens=12, temperature=temperature, top_p=0.9, seed=5)
    together = [answer.text for answer in tiny.generate(PROMPTS, sampling)]
    assert together == [tiny.generate([prompt], sampling)[0].text for prompt in PROMPTS]
    monkeypatch.setattr(tiny, "batch_tokens", 32)
    assert together == [answer.text for answer in tiny.generate(PROMPTS, sampling)]
    assert tiny.generate([], sampling) == []


def test_equal_seeds_give_equal_texts(tiny: CausalModel) -> None:
    state = torch.random.get_rng_state()
    texts = [
        tiny.generate(["the cat"], Sampling(max_tokens=16, temperature=1.0, seed=seed))[0].text
        for seed in (1, 1, 2, 3)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3
    assert torch.equal(torch.random.get_rng_state(), state)


@settings(max_examples=scaled(25), deadline=None)
@given(
    prompt=st.sampled_from(PROMPTS),
    stop=st.lists(st.text("abcdefgh \ufffd!", min_size=1, max_size=2), max_size=3),
    temperature=st.sampled_from([0.0, 1.5]),
    count=st.integers(1, 20),
)
def test_stream_equals_generate_and_stop_strings_end_it(
    tiny: CausalModel, prompt: Prompt, stop: list[str], temperature: float, count: int
) -> None:
    plain = Sampling(max_tokens=count, temperature=temperature)
    (whole,) = tiny.generate([prompt], plain)
    sampling = Sampling(max_tokens=count, temperature=temperature, stop=tuple(stop))
    (answer,) = tiny.generate([prompt], sampling)
    ends = [
        (whole.text.find(string) + len(string), whole.text.find(string))
        for string in stop
        if string in whole.text
    ]
    assert answer.text == (whole.text[: min(ends)[1]] if ends else whole.text)
    assert answer.finish == ("stop" if ends else whole.finish)
    *chunks, last = tiny.stream(prompt, sampling)
    assert "".join(chunk.text for chunk in chunks) == answer.text
    assert all(chunk.text and chunk.finish is None for chunk in chunks)
    assert (last.text, last.finish) == ("", answer.finish)
    assert last.usage is not None
    assert last.usage.completion_tokens == answer.usage.completion_tokens


def test_stream_yields_several_pieces(tiny: CausalModel) -> None:
    assert len(list(tiny.stream("the cat", Sampling(max_tokens=24)))) > 5


def test_shared_prefix_is_read_once(tiny: CausalModel) -> None:
    begin = "the cat sat on a mat, then he ate. " * 2
    prompts = [begin + end for end in ("in one word", "the", "then")]
    answers = tiny.generate(prompts, Sampling(max_tokens=3))
    sizes = [1 + size for size in tiny.count_tokens(prompts)]  # with <s>
    assert [answer.usage.prompt_tokens for answer in answers] == sizes
    assert sorted(answer.usage.cached_tokens for answer in answers)[0] == 0
    assert len({answer.usage.cached_tokens for answer in answers}) == 2
    assert max(answer.usage.cached_tokens for answer in answers) >= 16
    again = tiny.generate(prompts, Sampling(max_tokens=3))
    assert all(answer.usage.cached_tokens >= 16 for answer in again)
    alone = [tiny.generate([prompt], Sampling(max_tokens=3))[0] for prompt in prompts]
    assert [answer.text for answer in alone] == [answer.text for answer in answers]
    assert not any(answer.usage.cached_tokens for answer in alone)
    assert all(answer.usage.seconds > 0 and answer.usage.calls == 1 for answer in answers)


def test_prompt_without_room_for_the_answer_is_refused(tiny: CausalModel) -> None:
    with pytest.raises(InvalidInputError, match=r"prompts\[0\].*400 more.*256"):
        tiny.generate(["a", "the cat"], Sampling(max_tokens=400))
    with pytest.raises(InvalidInputError, match=r"prompts\[0\]"):
        list(tiny.stream("a " * 400))
    (answer,) = tiny.generate(["the"], Sampling(max_tokens=256 - 1 - tiny.count_tokens(["the"])[0]))
    assert answer.finish in ("length", "stop")


def test_invalid_prompts_are_refused(tiny: CausalModel) -> None:
    with pytest.raises(InvalidInputError, match="messages"):
        tiny.generate([[]])
    with pytest.raises(InvalidInputError, match="surrogate"):
        tiny.generate(["\ud800"])


# Choosing a token


@given(
    scores=st.lists(st.floats(-20, 20), min_size=2, max_size=8),
    top_p=st.floats(0.05, 1.0),
    temperature=st.floats(0.01, 5.0),
    seed=st.integers(0, 99),
)
def test_choose_stays_in_the_nucleus(
    scores: list[float], top_p: float, temperature: float, seed: int
) -> None:
    sampling = Sampling(temperature=temperature, top_p=top_p)
    (token,) = choose(torch.tensor([scores]), sampling, [np.random.default_rng(seed)])
    weights = np.exp((np.float32(scores).astype(float) - max(scores)) / temperature)
    chances = weights / weights.sum()
    likelier = chances[chances > chances[token]].sum()
    assert likelier < top_p + 1e-9  # The more likely tokens alone do not reach top_p.
    assert choose(torch.tensor([scores]), Sampling(), [])[0] == np.argmax(np.float32(scores))


def test_choose_follows_the_probabilities() -> None:
    random = np.random.default_rng(0)
    logits = torch.log(torch.tensor([[0.1, 0.5, 0.4]])).expand(20_000, 3)
    found = choose(logits, Sampling(temperature=1.0), [random] * len(logits))
    assert np.allclose(np.bincount(found) / len(found), [0.1, 0.5, 0.4], atol=0.02)
    found = choose(logits, Sampling(temperature=1.0, top_p=0.6), [random] * len(logits))
    assert np.allclose(np.bincount(found) / len(found), [0, 5 / 9, 4 / 9], atol=0.02)
    cold = choose(logits[:10], Sampling(temperature=1e-300), [random] * 10)
    assert cold == [1] * 10


# A real model


def test_nothing_more_is_generated_when_the_caller_has_left(tiny, monkeypatch):
    steps = []
    step = Decoding.step

    def counted(self: Decoding, tokens: Sequence[int]) -> None:
        steps.append(tokens)
        if len(steps) == 3:
            left.set()
        step(self, tokens)

    monkeypatch.setattr(Decoding, "step", counted)
    left = threading.Event()
    with ended_by(left), pytest.raises(CallerLeft):
        tiny.generate(["one", "two"], Sampling(max_tokens=50))
    assert len(steps) == 3
    with ended_by(left), pytest.raises(CallerLeft):
        tiny.generate(["one"], Sampling(max_tokens=50))
    assert len(steps) == 3
    tiny.generate(["one"], Sampling(max_tokens=2))


@pytest.fixture(scope="module")
def smol() -> CausalModel:
    try:
        find_weights("SmolLM2-135M-Instruct", allow_download=False)
    except ModelError as error:
        pytest.skip(str(error))
    return CausalModel.load("SmolLM2-135M-Instruct")


@pytest.mark.slow
def test_smollm2_answers_a_question(smol: CausalModel) -> None:
    asked = [Message("user", "What is the capital of France?")]
    begun = [*asked, Message("assistant", 'In one word: "')]
    answers = smol.generate([asked, begun], Sampling(max_tokens=8, stop=('"',)))
    reference = smol._model, smol._tokenizer._tokenizer
    assert answers[0].text == greedy(reference, asked, 8)[0]
    assert "Paris" in answers[0].text
    assert answers[1].text == greedy(reference, begun, 8)[0].partition('"')[0]
    assert answers[0].finish == "stop"


def test_stream_reads_a_long_prompt_in_pieces(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = CausalModel.load(str(tiny_llama))
    prompt, sampling = "the cat sat on a mat, then he ate. " * 4, Sampling(max_tokens=8)
    (whole,) = model.generate([prompt], sampling)
    monkeypatch.setattr(generation, "PIECE", 7)
    chunks = list(model.stream(prompt, sampling))
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
    pieces = model.stream(prompt, sampling)
    assert next(pieces).text == ""  # The prompt is not read to its end yet.
    pieces.close()  # type: ignore[attr-defined]
