"""The usage of answers that fail or are cancelled is counted."""

from __future__ import annotations

from contextlib import suppress

import pytest

import twindex
from twindex.core import Guard, ModelError, Usage
from twindex.core.answers import DoneEvent, TextEvent, UsageEvent
from twindex.generate import FakeGeneratorConfig, LanguageModelBackgroundConfig
from twindex.generate.background.language_model import PromptingBackground
from twindex.llm.fake import FakeModel
from twindex.search import GeneratorRegistry
from twindex.search.answering.backgrounds import BackgroundRegistry

QUESTION = "Can the kiwi fly?"


class Breaking(FakeModel):
    """A model that fails after some pieces of text."""

    pieces = 3

    def stream(self, prompt, sampling=None):
        for number, chunk in enumerate(super().stream(prompt, sampling)):
            if number == self.pieces:
                raise ModelError("the model is out of order")
            yield chunk


MODEL = Breaking(answer=lambda prompt: "Kiwis are birds of New Zealand.")


@pytest.fixture
def birds(tmp_path):
    background = PromptingBackground(LanguageModelBackgroundConfig(), [()], MODEL)
    generators = GeneratorRegistry(
        {
            "whole": FakeGeneratorConfig(text="Kiwis cannot fly. [1]"),
            "failing": FakeGeneratorConfig(text="Kiwis cannot fly. [1]", fails_at=2),
            "dead": FakeGeneratorConfig(fails_at=0),
        },
        backgrounds=BackgroundRegistry({"breaking": background}),
    )
    config = {"legs": {"lexical": {"kind": "lexical"}}}
    with twindex.create(tmp_path / "birds", config, generators=generators) as collection:
        collection.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
        yield collection


@pytest.fixture
def spent():
    return []


@pytest.fixture
def guard(spent):
    return Guard(spent=spent.append)


def total(usages):
    return sum(usages, Usage())


def test_a_failed_answer(birds, spent, guard):
    with pytest.raises(ModelError):
        birds.answer(QUESTION, generator="failing", guard=guard)
    found = total(spent)
    assert (found.calls, found.completion_tokens) == (1, 2)
    assert found.prompt_tokens > 4
    assert birds.usage == found


def test_a_model_that_wrote_nothing_counts_nothing(birds, spent, guard):
    with pytest.raises(ModelError):
        birds.answer(QUESTION, generator="dead", guard=guard)
    assert total(spent) == Usage()


def test_a_cancelled_answer(birds, spent, guard):
    events = birds.answer_stream(QUESTION, generator="whole", guard=guard)
    next(event for event in events if isinstance(event, TextEvent))
    events.close()
    assert total(spent).calls == 1
    assert birds.usage == total(spent)


@pytest.mark.parametrize("last", [UsageEvent, DoneEvent])
def test_a_complete_answer_is_counted_once(birds, spent, guard, last):
    events = birds.answer_stream(QUESTION, generator="whole", guard=guard)
    usage = next(event.usage for event in events if isinstance(event, UsageEvent))
    if last is DoneEvent:
        next(events)
    events.close()
    assert total(spent) == (usage if last is UsageEvent else Usage())
    assert birds.usage == usage


def test_a_guard_that_ends_the_answer(birds, spent):
    calls = 0

    def check():
        nonlocal calls
        calls += 1
        if calls > 8:
            raise TimeoutError

    with suppress(TimeoutError):
        birds.answer(QUESTION, generator="whole", guard=Guard(check, spent=spent.append))
    assert birds.usage == (total(spent) if spent else birds.usage)


def test_a_background_that_fails(birds, spent, guard):
    MODEL.pieces = 3
    with pytest.raises(ModelError):
        birds.answer(QUESTION, generator="whole", background="breaking", guard=guard)
    first = total(spent)
    assert (first.calls, first.completion_tokens) == (1, 3)
    wanted = {"model": "breaking", "on_error": "leave_out"}
    answer = birds.answer(QUESTION, generator="whole", background=wanted, guard=guard)
    assert total(spent).calls == 2
    assert birds.usage.calls == total(spent).calls + answer.usage.calls
