"""Passages are shortened, tokens counted, and prompts grouped into calls."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.ask import asking
from twindex.ask.asking import calls, shares
from twindex.ask.reading import BYTES, Reader, one_line
from twindex.core import ConfigError, Usage
from twindex.llm import FakeModel, Message


class Server:
    """A model on a server, which cannot tokenise locally."""

    name = "server"
    capabilities = frozenset({"generate"})
    fingerprint = MappingProxyType[str, str]({})

    def count_tokens(self, texts: Any) -> list[int]:
        raise AssertionError("a request for each text")


class Base(FakeModel):
    """A model without a chat template."""

    def render(self, messages: Any) -> str:
        raise ConfigError("no template", field="template")


@given(st.text(max_size=80), st.integers(1, 12))
def test_passage_is_a_prefix_of_its_line(text: str, limit: int) -> None:
    model = FakeModel()
    line, found = one_line(text), Reader(model, limit).passage(text)
    assert "\n" not in line
    assert '"' not in line
    assert line.startswith(found.text)
    assert found.tokens <= limit
    assert model.count_tokens([found.text]) <= [limit]
    assert found.truncated == (found.text != line)
    if found.truncated and not any(len(word) > 16 for word in line.split()):
        longer = line[: len(found.text) + 1].rstrip()
        grown = line[: len(found.text) + 2]
        assert model.count_tokens([grown])[0] >= limit or longer == found.text


@given(st.text(max_size=80), st.integers(1, 12))
def test_tokens_of_a_server_are_estimated_by_bytes(text: str, limit: int) -> None:
    line, found = one_line(text), Reader(Server(), limit).passage(text)
    assert line.startswith(found.text)
    assert len(found.text.encode(errors="surrogatepass")) <= BYTES * limit
    assert found.truncated == (found.text != line)
    assert found.tokens <= limit


def test_query_is_never_cut() -> None:
    reader = Reader(FakeModel(), 2)
    assert reader.query('a "b"\nc d') == type(reader.query("x"))("a 'b' c d", 6, False)
    assert reader.passage("a b c d").truncated


def test_prompt_with_and_without_a_chat_template() -> None:
    chat, base = Reader(FakeModel(), 8), Reader(Base(), 8)
    assert chat.prompt("Which?", "Passage") == [
        Message("user", "Which?"),
        Message("assistant", "Passage"),
    ]
    assert chat.prompt("Which?") == [Message("user", "Which?")]
    assert base.prompt("Which?", "Passage") == "Which? Passage"
    assert [r.spaced("A", begun=True) for r in (chat, base)] == [" A", " A"]
    assert [r.spaced("Yes", begun=False) for r in (chat, base)] == ["Yes", " Yes"]


@given(
    st.integers(0, 100),
    st.integers(0, 100),
    st.lists(st.integers(1, 50), min_size=1, max_size=9),
)
def test_shares_add_up(tokens: int, number: int, weights: list[int]) -> None:
    whole = Usage(calls=number, prompt_tokens=tokens, cached_tokens=tokens // 2)
    parts = shares(whole, weights)
    assert sum(parts, Usage()) == whole
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.prompt_tokens - tokens * weight / sum(weights)) < 1
        assert abs(part.calls - number / len(weights)) < 1


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=150))
def test_each_prompt_is_in_one_call(items: list[tuple[int, int]]) -> None:
    numbered = list(enumerate(items))
    found = list(calls(numbered, lambda item: item[1], lambda item: item[1][0]))
    assert sorted(item for call in found for item in call) == numbered
    few = [call for call in found if len(call) < asking.MIN_SHARED]
    assert len(few) <= 1


def test_large_calls_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_PROMPTS", 10)
    assert [len(call) for call in calls(range(25))] == [10, 10, 5]
