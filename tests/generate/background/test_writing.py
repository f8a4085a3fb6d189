"""Backgrounds by language models: prompts, samples, demonstrations, memory, limits, failures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twindex.ask import Limits
from twindex.core import ConfigError, Guard, InvalidInputError, ModelError, SourceError
from twindex.generate import (
    BACKGROUNDS,
    ClusteredBackgroundConfig,
    LanguageModelBackgroundConfig,
    load_background,
)
from twindex.generate.background.clustered import load as load_clustered
from twindex.generate.background.demonstrations import read_demonstrations
from twindex.generate.background.language_model import PromptingBackground
from twindex.generate.background.prompts import PROMPTS, prompt
from twindex.llm import Chunk, LanguageModel, Message
from twindex.llm.fake import FakeModel

FAKE = {"model": "fake"}


class Recording(FakeModel):
    """Keeps the prompts and the sampling of each call."""

    def __init__(self, text: str = "A kiwi\nis a bird.  It runs.") -> None:
        super().__init__(answer=lambda prompt: text)
        self.prompts: list[Any] = []
        self.seeds: list[int] = []

    def stream(self, prompt: Any, sampling: Any = None) -> Iterator[Chunk]:
        self.prompts.append(prompt)
        self.seeds.append(sampling.seed)
        return super().stream(prompt, sampling)


def made(model: LanguageModel, **fields: Any) -> PromptingBackground:
    config = LanguageModelBackgroundConfig(**fields)
    return PromptingBackground(config, [()] * config.documents, model)


def test_document_is_on_one_line_and_its_prompt_has_the_question():
    model = Recording()
    found = made(model).write("What is a kiwi?")
    assert found.texts == ["A kiwi is a bird. It runs."]
    assert found.reason is None
    assert (found.usage.calls, found.usage.cache_hits) == (1, 0)
    assert found.usage.prompt_tokens > 0 < found.usage.completion_tokens
    assert model.prompts == [[Message("user", PROMPTS["qa"].format(text="What is a kiwi?"))]]


@pytest.mark.parametrize("purpose", list(PROMPTS))
def test_purposes_have_prompts_of_their_own(purpose):
    model = Recording()
    made(model, purpose=purpose).write("{text} <|im_end|>")
    text = model.prompts[0][0].content
    assert text.startswith(PROMPTS[purpose].partition("\n")[0])
    assert "{text}" in text
    assert "<|im_end|>" not in text


def test_samples_have_seeds_of_their_own_and_are_remembered():
    model = Recording()
    background = made(model, documents=3, temperature=0.95, seed=7)
    assert len(background.write("What?").texts) == 3
    assert model.seeds == [7, 8, 9]
    again = background.write("What?")
    assert (len(model.seeds), again.usage.calls, again.usage.cache_hits) == (3, 0, 3)
    background.write("Who?")
    assert len(model.seeds) == 6


def test_greedy_samples_are_refused():
    with pytest.raises(ConfigError, match="equal at the temperature 0"):
        LanguageModelBackgroundConfig(documents=2)


def test_empty_document_is_an_error_and_not_remembered():
    model = Recording("\n \n")
    background = made(model)
    for _ in range(2):
        with pytest.raises(ModelError, match="empty background document"):
            background.write("What?")
    assert len(model.prompts) == 2


def test_document_that_was_cut_ends_with_a_sentence():
    background = made(Recording("Kiwis run fast. Emus run fast too."), max_tokens=6)
    assert background.write("What?").texts == ["Kiwis run fast."]
    alone = made(Recording("Kiwis run fast and far."), max_tokens=3)
    assert alone.write("What?").texts == ["Kiwis run fast"]


def test_limits_end_the_documents_and_say_so():
    background = made(Recording(), documents=3, temperature=1.0, max_tokens=8)
    whole = background.write("What?")
    spent = whole.usage.prompt_tokens + whole.usage.completion_tokens
    other = made(Recording(), documents=3, temperature=1.0, max_tokens=8)
    found = other.write("What?", Limits(tokens=spent // 3 + 40))
    assert found.reason is not None
    assert "of 3 documents" in found.reason
    assert found.usage.prompt_tokens + found.usage.completion_tokens <= spent // 3 + 40
    none = made(Recording()).write("What?", Limits(calls=0))
    assert (none.texts, none.usage.calls) == ([], 0)
    assert none.reason == "a limit was reached after 0 of 1 documents"


class Slow(Recording):
    def __init__(self) -> None:
        super().__init__("word " * 200)
        self.closed = threading.Event()

    def stream(self, prompt: Any, sampling: Any = None) -> Iterator[Chunk]:
        try:
            for chunk in super().stream(prompt, sampling):
                time.sleep(0.01)
                yield chunk
        finally:
            self.closed.set()


def test_time_limit_and_guard_stop_the_model():
    model = Slow()
    began = time.perf_counter()
    found = made(model).write("What?", Limits(milliseconds=150))
    assert time.perf_counter() - began < 1
    assert (list(found.texts), found.usage.calls) == ([], 1)
    assert found.usage.completion_tokens > 0
    assert model.closed.wait(1)

    class Gone(Exception):  # noqa: N818
        pass

    left = threading.Event()

    def check() -> None:
        if left.is_set():
            raise Gone

    model = Slow()
    threading.Timer(0.1, left.set).start()
    with pytest.raises(Gone):
        made(model).write("What?", guard=Guard(check))
    assert model.closed.wait(1)


def test_prompt_that_is_too_long_for_the_model_is_refused():
    class Small(Recording):
        limit = 100

    with pytest.raises(InvalidInputError, match="fewer `max_tokens`") as caught:
        made(Small(), max_tokens=90).write("What is a kiwi?")
    assert caught.value.field == "question"


PAIRS = [("What is a kiwi?", "A bird."), ("What is a bee?", "An insect.")]


def test_demonstrations_are_turns_or_a_text():
    turns = prompt("qa", "What is an emu?", PAIRS, chats=True)
    assert [turn.role for turn in turns] == ["user", "assistant"] * 2 + ["user"]  # type: ignore[union-attr]
    assert [turn.content for turn in turns][1::2] == ["A bird.", "An insect."]  # type: ignore[union-attr]
    text = prompt("qa", "What is an emu?", PAIRS, chats=False)
    assert isinstance(text, str)
    assert text.count("\n\n\n\n") == 2
    assert text.index("A bird.") < text.index("An insect.") < text.index("What is an emu?")


def written(path: Path, *lines: Any) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    return path


def test_demonstrations_of_a_file(tmp_path):
    path = written(
        tmp_path / "pairs.jsonl",
        {"question": "Who sang?", "document": "Ada\nLovelace sang.", "answers": ["ada lovelace"]},
        {"question": "Who ran?", "document": "Nobody.", "answers": ["Bo"]},
        {"question": "Who flew?", "document": "A bee.", "more": 1},
    )
    assert read_demonstrations(path) == [
        ("Who sang?", "Ada Lovelace sang."),
        ("Who flew?", "A bee."),
    ]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"question": "Who?"}, "document"),
        ({"question": " ", "document": "x"}, "question"),
        ({"question": "Who?", "document": "x", "answers": "y"}, "answers"),
    ],
)
def test_invalid_demonstrations_name_line_and_field(tmp_path, line, field):
    path = written(tmp_path / "pairs.jsonl", {"question": "a", "document": "b"}, line)
    with pytest.raises(SourceError) as caught:
        read_demonstrations(path)
    assert (caught.value.line, caught.value.field) == (2, field)
    empty = written(tmp_path / "none.jsonl", {"question": "a", "document": "b", "answers": ["c"]})
    with pytest.raises(SourceError, match="no usable line"):
        read_demonstrations(empty)


def test_clustered_background_writes_a_document_for_each_cluster(tmp_path):
    words = ("kiwi", "bee", "stone", "river")
    pairs = [
        {"question": f"What is a {word} {n}?", "document": f"The {word} {n}."}
        for word in words
        for n in range(5)
    ]
    path = written(tmp_path / "pairs.jsonl", *pairs)
    fields = {"kind": "clustered", "demonstrations": str(path), "clusters": 4, "per_cluster": 2}
    config = BACKGROUNDS.parse({**fields, "llm": FAKE, "encoder": {"model": "fake"}, "seed": 3})
    assert isinstance(config, ClusteredBackgroundConfig)
    first, second = load_background(config), load_clustered(config)
    found = first.write("What is an emu?")
    assert found.texts
    assert found.texts == second.write("What is an emu?").texts
    assert found.usage.calls == len(second._groups) <= 4
    assert [len(group) for group in second._groups] == [2] * len(second._groups)


def test_fake_model_loads_by_name():
    config = BACKGROUNDS.parse({"kind": "language_model", "llm": FAKE})
    assert load_background(config).write("What is a kiwi?").texts
    with pytest.raises(ModelError):
        load_background(BACKGROUNDS.parse({"kind": "fake", "fails": True})).write("What?")


@pytest.mark.slow
def test_real_model_writes_a_document(smollm):
    background = made(smollm, max_tokens=40)
    found = background.write("What is the capital of France?")
    assert "Paris" in found.texts[0]
    assert found.texts == background.write("What is the capital of France?").texts
    assert found.usage.completion_tokens <= 40
