"""FakeModel follows the protocols of language models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.llm import (
    FakeModel,
    GenerativeModel,
    LikelihoodModel,
    Message,
    Sampling,
    StateModel,
    States,
)
from twindex.llm.fake import END, QUOTE

MODEL = FakeModel()
WORDS = st.text(alphabet='abc ".,é_\x00\n', max_size=40)


def read(*texts: str, steps: int = 1, stop: frozenset[int] = frozenset()) -> States:
    return MODEL.read(MODEL.tokenize(texts), steps=steps, stop=stop)


def test_fake_model_implements_all_protocols() -> None:
    states: StateModel = MODEL
    likelihood: LikelihoodModel = MODEL
    generative: GenerativeModel = MODEL
    assert states.name == likelihood.name == generative.name == "fake"
    assert MODEL.capabilities == {"states", "likelihood", "generate"}


def test_tokenize_piece_and_decode() -> None:
    fox, quote, dot = MODEL.tokenize_markup('Fox ".')
    assert MODEL.tokenize(["fox", "", " \n"]) == [[fox], [], []]
    assert [MODEL.piece(token) for token in (fox, quote, dot)] == [f"#{fox}", '"', "."]
    assert MODEL.decode([quote, fox, fox, quote]) == f'" #{fox} #{fox}"'
    assert MODEL.count_tokens(["a red fox.", ""]) == [4, 0]
    assert END not in MODEL.tokenize_markup("\x00\x01")
    for token in (-1, MODEL.vocabulary):
        with pytest.raises(InvalidInputError, match="token"):
            MODEL.piece(token)


def test_texts_that_share_words_have_similar_states() -> None:
    states = read("a red fox", "the red fox", "deep sea fish", "")
    assert states.hidden.shape == (4, 1, MODEL.dimensions)
    assert states.logits.shape == (4, 1, MODEL.vocabulary)
    assert states.hidden.dtype == states.logits.dtype == np.float32
    vectors = states.hidden[:, 0] / np.linalg.norm(states.hidden[:, 0], axis=1)[:, None]
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    assert np.isfinite(vectors).all()  # not even an empty text has a state of zeros


def test_states_ignore_prefix_and_suffix() -> None:
    text, prefix, suffix = MODEL.tokenize(["red fox", "the passage", "in one word"])
    plain, prompted = MODEL.read([text]), MODEL.read([text], prefix=prefix, suffix=suffix)
    assert np.array_equal(plain.logits, prompted.logits)
    assert np.array_equal(plain.hidden, prompted.hidden)
    assert prompted.usage.calls == 1
    assert prompted.usage.prompt_tokens == 7


@given(WORDS)
def test_steps_choose_words_by_frequency_then_the_quote(text: str) -> None:
    tokens = MODEL.tokenize([text])[0]
    words = [token for token in tokens if token >= 128]
    wanted = sorted(set(words), key=lambda word: (-words.count(word), words.index(word)))
    states = MODEL.read([tokens], steps=50, stop=frozenset({QUOTE}))
    assert states.tokens[0, : states.steps[0]].tolist() == [*wanted, QUOTE]
    positive = np.flatnonzero(states.logits[0, 0] > 0)
    assert set(positive.tolist()) == set(words)
    assert not states.hidden[0, states.steps[0] :].any()
    assert not states.logits[0, states.steps[0] :].any()


def test_steps_end_at_the_limit_or_the_end_of_the_turn() -> None:
    states = read("one two three", "", steps=3)
    assert states.steps.tolist() == [3, 2]
    assert states.tokens[1].tolist() == [QUOTE, END, 0]
    assert not np.array_equal(states.hidden[0, 0], states.hidden[0, 1])
    assert read().logits.shape == (0, 1, MODEL.vocabulary)
    with pytest.raises(InvalidInputError, match="steps"):
        read("one", steps=0)


def test_default_and_custom_likelihood() -> None:
    found = MODEL.likelihood(["a red fox", "the sea"], ["red", "red fox", "blue"])
    assert found.total.shape == (2, 3)
    assert found.tokens.tolist() == [[1, 2, 1]] * 2
    assert np.allclose(np.exp(found.total), [[0.5, 0.25, 0.01], [0.01, 0.0001, 0.01]])
    assert found.usage.calls == 2
    judged = FakeModel(likelihood=lambda prompt, word: -float(len(prompt) + len(word)))
    assert judged.likelihood(["ab"], ["c", "cde"]).total.tolist() == [[-3, -5]]
    assert judged.likelihood([], ["c"]).total.shape == (0, 1)
    assert judged.likelihood(["a"], []).total.shape == (1, 0)
    with pytest.raises(InvalidInputError, match="continuations"):
        judged.likelihood(["a"], ["b", ""])


def test_default_and_custom_answers() -> None:
    said = [Message("system", "Be brief."), Message("user", "one two three four five six 7 8 9")]
    (echo,) = MODEL.generate([said])
    assert echo.text == "one two three four five six 7 8"
    assert echo.finish == "stop"
    assert echo.usage.prompt_tokens == len(MODEL.tokenize([MODEL.render(said)])[0])
    assert echo.usage.completion_tokens == 8
    assert MODEL.generate(["", "hello"])[0].text == ""
    (short,) = MODEL.generate([said], Sampling(max_tokens=3))
    assert (short.text, short.finish) == ("one two three", "length")
    (stopped,) = MODEL.generate([said], Sampling(stop=("nowhere", " three", "five")))
    assert (stopped.text, stopped.finish) == ("one two", "stop")
    seeds = [MODEL.generate([said], Sampling(temperature=1, seed=s))[0].text for s in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]
    (own,) = FakeModel(answer=str.upper).generate([[Message("user", "hi")]])
    assert own.text == "[USER] HI\n[ASSISTANT] "


@given(WORDS, st.integers(1, 5), st.lists(st.text("ab. ", min_size=1, max_size=3), max_size=2))
def test_stream_equals_generate(text: str, limit: int, stop: list[str]) -> None:
    model = FakeModel(answer=lambda prompt: prompt)
    sampling = Sampling(max_tokens=limit, stop=tuple(stop))
    (whole,) = model.generate([text], sampling)
    chunks = list(model.stream(text, sampling))
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert (chunks[-1].finish, chunks[-1].usage) == (whole.finish, whole.usage)
    assert all(chunk.finish is None and chunk.usage is None for chunk in chunks[:-1])
    assert not any(end in whole.text for end in stop)


def test_render_writes_conversations() -> None:
    asked = [Message("user", "Who?")]
    assert MODEL.render(asked) == "[user] Who?\n[assistant] "
    continued = [*asked, Message("assistant", 'It is "')]
    assert MODEL.render(continued) == '[user] Who?\n[assistant] It is "'
    with pytest.raises(InvalidInputError, match="messages"):
        MODEL.generate([[]])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("stop", ("a", "")),
        ("stop", "END"),
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("seed", -1),
    ],
)
def test_invalid_sampling_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match=field):
        Sampling(**{field: value})  # type: ignore[arg-type]


def test_single_prompt_instead_of_a_list_is_refused() -> None:
    for call in (
        lambda: MODEL.generate("a red fox"),
        lambda: MODEL.generate([Message("user", "a red fox")]),
        lambda: MODEL.likelihood("a red fox", ["yes"]),
        lambda: MODEL.likelihood(["a red fox"], "yes"),
    ):
        with pytest.raises(InvalidInputError, match="must be a list"):
            call()


@pytest.mark.parametrize(
    ("field", "value"), [("max_tokens", 2.5), ("seed", True), ("stop", (1,)), ("stop", ("",))]
)
def test_sampling_with_wrong_types_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidInputError) as error:
        Sampling(**{field: value})  # type: ignore[arg-type]
    assert error.value.field == field
