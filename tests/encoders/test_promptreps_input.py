"""PromptReps with the fake model: the encoder protocol, unusual input and rejected options."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import ConfigError, InvalidInputError, ModelError
from twindex.encoders import PromptRepsEncoder, PromptRepsEncoderConfig, load_encoder
from twindex.encoders.promptreps.readings import used_steps
from twindex.encoders.terms import weigh
from twindex.llm import Message
from twindex.llm.fake import END, QUOTE, FakeModel


def fake(**options: Any) -> PromptRepsEncoder:
    encoder = load_encoder(PromptRepsEncoderConfig.parse({"model": "fake", **options}))
    assert isinstance(encoder, PromptRepsEncoder)
    return encoder


class NoTemplate(FakeModel):
    """A base model, which has no chat template."""

    def render(self, messages: Sequence[Message]) -> str:
        raise ConfigError("the model has no chat template", field="template")


class Silent(FakeModel):
    """Generates the closing quote as the first token."""

    def read(self, texts: Any, **options: Any) -> Any:
        return super().read([[] for _ in texts], **options)


@pytest.mark.parametrize("variant", ["single", "first_word", "multi_token_single"])
def test_variants_with_one_vector(variant: str) -> None:
    encoder = fake(variant=variant)
    done: list[int] = []
    texts = ["a red fox", "", "red fox and blue whale", "the red fox"]
    found = encoder.encode(texts, role="document", advance=done.append)
    assert encoder.gives == {"dense", "sparse"}
    assert found.offsets is None
    assert found.dense is not None
    assert found.sparse is not None
    assert found.usage is not None
    assert found.dense.dtype == found.sparse.dtype == np.float32
    assert found.dense.shape == (4, 64)
    assert found.sparse.shape == (4, 2**15)
    assert np.allclose(np.linalg.norm(found.dense, axis=1), 1)
    assert found.dense[0] @ found.dense[3] > found.dense[0] @ found.dense[1]
    assert sum(done) == found.usage.calls == len(texts)


@pytest.mark.parametrize("variant", ["multi_token_multi", "multi_word_multi"])
def test_variants_with_several_vectors(variant: str) -> None:
    found = fake(variant=variant).encode(["fox", "", "one two three"], role="query")
    assert found.dense is not None
    assert found.sparse is not None
    # The fake model generates each word of the text as one token.
    assert found.offsets is not None
    assert found.offsets.tolist() == [0, 1, 2, 5]
    assert len(found) == 3
    assert found.dense.shape[0] == found.sparse.shape[0] == 5
    assert np.allclose(np.linalg.norm(found.dense, axis=1), 1)


@pytest.mark.parametrize("variant", ["single", "multi_token_multi"])
def test_empty_batch(variant: str) -> None:
    found = fake(variant=variant).encode([], role="query")
    assert len(found) == 0
    assert found.dense is not None
    assert found.dense.shape == (0, 64)


@pytest.mark.parametrize("variant", ["first_word", "multi_token_multi", "multi_word_multi"])
def test_quote_as_first_token_uses_step_0(variant: str) -> None:
    config = PromptRepsEncoderConfig.parse({"model": "fake", "variant": variant})
    single = PromptRepsEncoder(Silent(), config.model_copy(update={"variant": "single"}))
    one = single.encode(["red fox"], role="document").dense
    assert one is not None
    found = PromptRepsEncoder(Silent(), config).encode(["red fox"], role="document").dense
    assert found is not None
    assert np.allclose(found, one)


@pytest.mark.parametrize("last", [QUOTE, END])
def test_end_of_answer_in_the_last_step_is_no_word(last: int) -> None:
    class Model(FakeModel):
        def read(self, texts: Any, **options: Any) -> Any:
            states = super().read(texts, **options)
            states.tokens[:, 9] = last
            return states

    words = " ".join(map(str, range(12)))
    config = PromptRepsEncoderConfig.parse({"model": "fake", "variant": "multi_token_multi"})
    found = PromptRepsEncoder(Model(), config).encode([words], role="document")
    assert found.offsets is not None
    assert found.offsets.tolist() == [0, 9]


def test_used_steps_exclude_the_end_of_the_answer() -> None:
    quote = 34
    for tokens, count in [
        ([quote], 1),
        ([5, quote], 1),
        ([5, 6, quote], 2),
        ([5], 1),  # The model ended its turn.
        ([5, 6], 1),
        ([5] * 10, 10),
        ([5] * 9 + [quote], 9),
    ]:
        assert used_steps(np.array(tokens), {quote}) == count, tokens


def test_only_own_words_have_weights() -> None:
    encoder = fake()
    found = encoder.encode(["The red, red fox!"], role="document").sparse
    assert found is not None
    red, fox = (row[0] for row in FakeModel().tokenize(["red", "fox"]))
    assert dict(zip(found.indices, found.data, strict=True)) == {
        red: round(100 * np.log(1 + 2 + 1 / 3)),
        fox: round(100 * np.log(1 + 1 + 1 / 4)),
    }
    kept = fake(language="none").encode(["The red, red fox!"], role="document").sparse
    assert kept is not None
    assert kept.nnz == 3
    assert encoder.term(fox) == f"#{fox}"
    for index in (-1, 2**15):
        with pytest.raises(InvalidInputError, match="index"):
            encoder.term(index)


def test_text_without_own_words_gets_the_largest_logits() -> None:
    found = fake().encode(["", "of the and, ."], role="document").sparse
    assert found is not None
    assert np.diff(found.indptr).tolist() == [
        0,
        3,
    ]  # The fake model prefers words that it has read.


def test_terms_come_from_the_whole_text() -> None:
    encoder = fake(max_length=2)
    found = encoder.encode(["red fox", "red fox runs", " \n red fox "], role="document")
    assert found.truncated is not None
    assert found.truncated.tolist() == [False, True, False]
    assert found.dense is not None
    assert np.array_equal(found.dense[0], found.dense[1])
    assert np.array_equal(found.dense[0], found.dense[2])


def test_fingerprint_covers_prompts_and_options() -> None:
    found = fake(template="plain").fingerprint
    assert json.loads(json.dumps(found)) == found
    assert found["kind"] == "promptreps"
    assert "revision" not in found
    assert "device" not in found
    assert found["query_prompt"][0].endswith('Query: "')
    assert found["document_prompt"][1].endswith('The word is "')
    for options in [
        {"style": "literal"},
        {"template": "mistral"},
        {"variant": "first_word"},
        {"language": "none"},
        {"max_length": 9},
        {"top_terms": 9},
        {"expansion": 9},
    ]:
        assert fake(**{"template": "plain", **options}).fingerprint != found, options


def test_long_text_is_fast() -> None:
    encoder = fake()
    begun = time.process_time()
    found = encoder.encode(["fox " * 25_000, "x" * 100_000, "'" * 100_000], role="document")
    assert time.process_time() - begun < 10
    assert found.truncated is not None
    assert found.truncated.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("field", "value"), [("revision", "main"), ("precision", "bfloat16"), ("language", "xx")]
)
def test_unsupported_options_are_rejected(field: str, value: str) -> None:
    with pytest.raises(ConfigError) as error:
        fake(**{field: value})
    assert error.value.field == field


def test_lone_surrogate_is_rejected() -> None:
    with pytest.raises(InvalidInputError, match="surrogate") as error:
        fake().encode(["fox", "a\ud800b"], role="document")
    assert error.value.field == "texts[1]"


def test_model_without_chat_template_needs_plain() -> None:
    config = PromptRepsEncoderConfig(model="base")
    for style in ("chat", "literal"):
        with pytest.raises(ConfigError) as error:
            PromptRepsEncoder(NoTemplate(), config.model_copy(update={"style": style}))
        assert error.value.field == "template"
    encoder = PromptRepsEncoder(NoTemplate(), config.model_copy(update={"template": "plain"}))
    assert encoder.encode(["fox"], role="query").dense is not None


def test_max_length_above_the_models_limit_is_rejected_at_load() -> None:
    model = FakeModel()
    model.limit = 80
    options = {"model": "fake", "variant": "first_word"}
    expected = r"must be at most (\d+), got 512: model 'fake' reads 80 tokens"
    with pytest.raises(ConfigError, match=expected) as error:
        PromptRepsEncoder(model, PromptRepsEncoderConfig.parse(options))
    assert error.value.field == "max_length"
    most = int(re.findall(r"at most (\d+)", str(error.value))[0])
    for longer in (0, 1):
        config = PromptRepsEncoderConfig.parse({**options, "max_length": most + longer})
        with pytest.raises(ConfigError) if longer else nullcontext():
            PromptRepsEncoder(model, config).encode(["fox " * 100], role="query")


class Begins(FakeModel):
    """A model with a token that begins a text, and with special tokens of one family."""

    begin = (7,)

    def tokenize_markup(self, text: str) -> list[int]:
        return [8] if text in ("<|im_start|>", "<|im_end|>") else self.tokenize([text])[0]

    def read(self, texts: Any, **options: Any) -> Any:
        self.prefix = options["prefix"]
        return super().read(texts, **options)


def test_plain_prompt_starts_with_the_begin_token() -> None:
    model = Begins()
    for template, begins in (("plain", True), ("auto", False), ("chatml", False)):
        config = PromptRepsEncoderConfig.parse({"model": "begins", "template": template})
        PromptRepsEncoder(model, config).encode(["fox"], role="query")
        assert (model.prefix[0] == 7) == begins


@pytest.mark.parametrize("style", ["chat", "literal"])
def test_template_of_another_family_is_rejected(style: str) -> None:
    config = PromptRepsEncoderConfig.parse({"template": "llama3", "style": style})
    with pytest.raises(ConfigError, match="begin_of_text") as error:
        PromptRepsEncoder(Begins(), config)
    assert error.value.field == "template"


def test_missing_model_is_named() -> None:
    with pytest.raises(ModelError, match="no-such-model"):
        load_encoder(PromptRepsEncoderConfig(model="no-such-model"))


@given(st.data())
def test_weigh_equals_brute_force(data: st.DataObject) -> None:
    size = 24
    number = st.integers(-3, 6).map(lambda value: value / 4)
    logits = np.array(data.draw(st.lists(number, min_size=size, max_size=size)), np.float32)
    own = sorted(data.draw(st.sets(st.integers(0, size - 1))))
    clean = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    top, expansion = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 4))

    def heaviest(tokens: Sequence[int], count: int) -> list[int]:
        return sorted(tokens, key=lambda token: (-logits[token], token))[:count]

    chosen = heaviest(own, top) if own else heaviest(range(size), 10)
    chosen += heaviest([t for t in range(size) if clean[t] and t not in own], expansion)
    weights = {token: round(100 * np.log1p(max(logits[token], 0))) for token in chosen}
    expected = {token: weight for token, weight in weights.items() if weight}
    found = weigh(
        logits[None], [np.array(own, np.int64)], top=top, expansion=expansion, clean=clean
    )
    assert found.has_sorted_indices
    assert dict(zip(found.indices, found.data, strict=True)) == expected
