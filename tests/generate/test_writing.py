"""Generators with public fakes: refusals, limits, guards, closing, threads, failing servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.ask import Limits
from twindex.core import Guard, InvalidInputError, ModelError
from twindex.core.answers import Answer, DoneEvent, SourcesEvent, TextEvent, UsageEvent
from twindex.core.errors import ConfigError
from twindex.generate import (
    AnswerOptions,
    Candidate,
    CitationOptions,
    ContextOptions,
    ExtractiveConfig,
    FakeGeneratorConfig,
    Generator,
    Task,
    load_generator,
)
from twindex.generate.refusals import may_refuse, refuses
from twindex.generate.writers.language_model import LanguageModelGeneratorConfig, generator
from twindex.generate.writing import EMPTY, NO_ANSWER, TIMED_OUT
from twindex.llm import Chunk, GenerativeModel, Message
from twindex.llm.fake import FakeModel

TEXTS = ("The kiwi is a bird. It cannot fly.", "Emus run fast. They have wings.")
PASSAGES = [Candidate(f"d{n}", text, 0, len(text)) for n, text in enumerate(TEXTS)]


def task(question: str = "Can the kiwi fly?", **fields: Any) -> Task:
    return Task(question, PASSAGES, **fields)


def made(model: GenerativeModel) -> Generator:
    return generator(LanguageModelGeneratorConfig(), model)


def writes(text: str) -> Generator:
    return made(FakeModel(answer=lambda prompt: text))


def same(answer: Answer) -> Answer:
    """Return an answer without the values that differ from run to run."""
    return replace(answer, timings={}, usage=replace(answer.usage, seconds=0))


@pytest.mark.parametrize("config", [ExtractiveConfig(), FakeGeneratorConfig()])
def test_stream_and_answer_are_the_same(config: Any) -> None:
    one = load_generator(config)
    events = list(one.stream(task()))
    assert isinstance(events[0], SourcesEvent)
    assert isinstance(events[-2], UsageEvent)
    assert isinstance(events[-1], DoneEvent)
    (answer,) = one.answer([task()])
    assert same(events[-1].answer) == same(answer)
    texts = [event.text for event in events if isinstance(event, TextEvent)]
    assert "".join(texts) == answer.text
    assert answer.citations
    assert all(citation.supported for citation in answer.citations)


REFUSALS = (
    "No answer.",
    "**No answer.**",
    '"No answer"',
    "I don't know the answer.",
    "We cannot determine that from the sources.",
    "The sources do not contain the answer.",
    "The provided\ndocuments don’t mention kiwis.",
    "There is no information on that.",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_no_answer(text: str) -> None:
    (answer,) = writes(text).answer([task()])
    assert (answer.outcome, answer.text, answer.reason) == ("no_answer", NO_ANSWER, "model")
    assert answer.citations == ()
    (cited,) = writes(f"{text[:-1]} [1]").answer([task()])
    assert cited.outcome == "answered"


@pytest.mark.parametrize(
    "text", ["", " \n", "[9]", "[1]"], ids=["empty", "spaces", "unknown", "marker only"]
)
def test_an_answer_without_text_is_no_answer(text: str) -> None:
    (answer,) = writes(text).answer([task()])
    assert (answer.outcome, answer.text, answer.reason) == ("no_answer", EMPTY, "empty")


@given(
    st.sampled_from(REFUSALS),
    st.text("no answer the sources do not I contain.*\n", max_size=80),
    st.integers(0, 100),
)
def test_the_start_of_a_refusal_is_never_written(refusal: str, more: str, cut: int) -> None:
    for text in (refusal + more, more, refusal[:cut] + more):
        if refuses(text):
            assert all(may_refuse(text[:end]) for end in range(len(text)))


def test_a_generator_without_a_model_does_not_blame_a_model() -> None:
    (answer,) = load_generator(ExtractiveConfig()).answer([task("Tuatara?")])
    assert (answer.outcome, answer.text, answer.reason) == ("no_answer", NO_ANSWER, "no match")


def test_max_tokens_ends_the_answer() -> None:
    (answer,) = writes("Kiwis are birds [1] that run.").answer(
        [task(options=AnswerOptions(max_tokens=5))]
    )
    assert answer.finish == "length"
    assert answer.text == "Kiwis are birds"  # "[1" is half a marker.
    assert any("max_tokens" in warning for warning in answer.warnings)


class Slow(FakeModel):
    """Waits before the first chunk and between chunks. Knows whether its stream was closed."""

    def __init__(
        self, first: float, each: float = 0.0, text: str = "Kiwis are birds [1]. "
    ) -> None:
        super().__init__(answer=lambda prompt: text * 200)
        self.first, self.each = first, each
        self.closed = threading.Event()
        self.pulled = 0

    def stream(self, prompt: Any, sampling: Any = None) -> Iterator[Chunk]:
        try:
            time.sleep(self.first)
            for chunk in super().stream(prompt, sampling):
                time.sleep(self.each)
                self.pulled += 1
                yield chunk
        finally:
            self.closed.set()


@pytest.mark.parametrize(("first", "each"), [(1.0, 0.0), (0.0, 0.02)])
def test_a_slow_model_stops_at_the_deadline(first: float, each: float) -> None:
    model = Slow(first, each)
    began = time.perf_counter()
    (answer,) = made(model).answer(
        [task(options=AnswerOptions(max_tokens=5_000))], Limits(milliseconds=300)
    )
    assert 0.25 < time.perf_counter() - began < 0.9
    assert answer.finish == "timeout"
    assert answer.usage.prompt_tokens > 0  # An estimate, because the model did not end.
    assert answer.outcome == ("no_answer" if first else "answered")
    assert answer.reason == ("timeout" if first else None)
    assert (answer.text == TIMED_OUT) == ("first_token" not in answer.timings) == bool(first)
    assert any("time limit" in warning for warning in answer.warnings)
    assert model.closed.wait(3)


def test_an_exception_of_the_guard_ends_the_work() -> None:
    class Gone(Exception):  # noqa: N818
        pass

    model, left = Slow(0.4), threading.Event()

    def check() -> None:
        if left.is_set():
            raise Gone

    threading.Timer(0.1, left.set).start()
    began = time.perf_counter()
    with pytest.raises(Gone):
        made(model).answer([task(guard=Guard(check))])
    assert time.perf_counter() - began < 0.39  # Before the model wrote anything.
    assert model.closed.wait(3)


def test_closing_the_iterator_closes_the_stream_of_the_model() -> None:
    model = Slow(0.0, 0.01)
    events = made(model).stream(task(options=AnswerOptions(max_tokens=5_000)))
    for event in events:
        if isinstance(event, TextEvent):
            break
    began = time.perf_counter()
    events.close()  # type: ignore[attr-defined]
    assert time.perf_counter() - began < 1
    assert model.closed.wait(1)
    assert model.pulled < 100


def test_a_reader_that_waits_does_not_let_the_model_run_ahead() -> None:
    model = Slow(0.0)
    events = made(model).stream(task(options=AnswerOptions(max_tokens=5_000)))
    for event in events:
        if isinstance(event, TextEvent):
            break
    time.sleep(0.3)
    assert model.pulled < 150
    events.close()  # type: ignore[attr-defined]
    assert model.closed.wait(1)


def test_a_stream_that_was_never_read_starts_no_model() -> None:
    model = Slow(0.0)
    made(model).stream(task())
    assert model.pulled == 0


def test_an_exception_of_the_model_is_raised_and_nothing_half_is_done() -> None:
    events: list[Any] = []
    stream = load_generator(FakeGeneratorConfig(fails_at=3)).stream(task())
    with pytest.raises(ModelError, match="fails after 3 words"):
        events.extend(stream)
    assert not any(isinstance(event, DoneEvent) for event in events)


def test_several_threads_at_once() -> None:
    one = load_generator(FakeGeneratorConfig(milliseconds=1))
    (expected,) = one.answer([task()])
    found: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: found.extend(one.answer([task()]))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [same(answer) for answer in found] == [same(expected)] * 12


def test_conversation_turns_are_in_the_prompt_and_in_the_budget() -> None:
    seen: list[str] = []
    model = FakeModel(answer=lambda prompt: seen.append(prompt) or "Kiwis are birds [1].")  # type: ignore[func-returns-value]
    turns = [Message("user", "What is a kiwi?"), Message("assistant", "A bird.")]
    made(model).answer([task(turns=turns)])
    assert seen[0].index("What is a kiwi?") < seen[0].index("A bird.") < seen[0].index("===")
    long = [Message("user", "word " * 5_000)]
    with pytest.raises(InvalidInputError, match="question and instructions need") as caught:
        made(model).answer([task(turns=long)])
    assert caught.value.field == "context.tokens"


def test_prompt_and_answer_fit_the_limit_of_the_model() -> None:
    class Small(FakeModel):
        limit = 260

    used: list[int] = []

    def answer(prompt: str) -> str:
        used.append(len(FakeModel().tokenize([prompt])[0]))
        return "Kiwis are birds [1]."

    text = "The kiwi is a bird. " * 100
    wide = Task("Fly?", [Candidate("d", text, 0, len(text))], AnswerOptions(max_tokens=50))
    (found,) = made(Small(answer=answer)).answer([wide])
    assert found.sources[0].cut
    assert used[0] + 50 <= 260
    with pytest.raises(InvalidInputError, match="fewer `max_tokens`") as caught:
        made(Small()).answer([replace(wide, options=AnswerOptions(max_tokens=256))])
    assert caught.value.field == "max_tokens"


def test_token_limits_apply_to_models_only() -> None:
    (answer,) = load_generator(ExtractiveConfig()).answer([task()], Limits(tokens=100))
    assert answer.outcome == "answered"
    with pytest.raises(InvalidInputError, match="fewer `max_tokens`") as caught:
        writes("x").answer([task()], Limits(tokens=1))
    assert caught.value.field == "tokens"


def test_a_model_without_a_chat_template_is_refused() -> None:
    class Plain(FakeModel):
        def render(self, messages: Any) -> str:
            raise ConfigError("no template", field="template")

    with pytest.raises(ConfigError, match="no chat template") as caught:
        made(Plain())
    assert caught.value.field == "llm.model"


def test_no_candidates_need_no_model() -> None:
    model = Slow(0.0)
    (answer,) = made(model).answer([Task("Fly?", [])])
    assert (answer.outcome, answer.reason, model.pulled) == ("no_answer", "no sources", 0)


def test_code_in_a_sentence_does_not_hide_its_marker() -> None:
    text = "Press the ` key to fly. Then press ` again to fly more."
    (answer,) = load_generator(ExtractiveConfig()).answer(
        [Task("How do I fly more?", [Candidate("d", text, 0, len(text))])]
    )
    assert len(answer.citations) == 2
    assert "`" not in answer.text


def test_quotes_of_a_merged_source_have_their_own_page_and_headings() -> None:
    text = "The kiwi is a bird. It cannot fly."
    passages = [
        Candidate("d", text, 0, 19, page=1, headings=("Birds",)),
        Candidate("d", text, 20, 34, page=2, headings=("Flight",)),
    ]
    (answer,) = writes("It cannot fly [1].").answer([Task("Fly?", passages)])
    assert len(answer.sources) == 1
    (quote,) = answer.citations[0].quotes
    assert (quote.page, quote.headings, quote.text) == (2, ("Flight",), "It cannot fly.")


def test_background_is_never_a_source() -> None:
    (answer,) = writes("Kiwis [3] fly [1].").answer([task(background=["Kiwis fly."])])
    assert [quote.number for one in answer.citations for quote in one.quotes] == [1]
    assert [source.number for source in answer.sources] == [0, 1, 2]


def test_unsupported_citations_can_be_dropped() -> None:
    options = AnswerOptions(citations=CitationOptions(unsupported="drop"),
                            context=ContextOptions(passages=2))  # fmt: skip
    (answer,) = writes("Sharks swim in Paris [1]. The kiwi is a bird [1].").answer(
        [task(options=options)]
    )
    assert answer.text == "Sharks swim in Paris. The kiwi is a bird [1]."
    assert any("1 citation" in warning for warning in answer.warnings)


def test_extractive_answers_have_no_headings() -> None:
    text = "# Tuatara\n\n## Age\nThe tuatara can live for 100 years."
    found = [Candidate("d", text, 0, len(text))]
    (answer,) = load_generator(ExtractiveConfig()).answer([Task("How old is a tuatara?", found)])
    assert answer.text == "The tuatara can live for 100 years. [1]"


TABLE = """\
# Words

| word | meaning |
|---|---|
| delta | the passages written since the last seal |
| tombstone | the number of a deleted document. It is small. |
| view | one state |

- A seal writes the delta
- A merge joins segments
"""


@pytest.mark.parametrize(
    ("question", "expected", "quoted"),
    [
        (
            "What is a tombstone?",
            "tombstone | the number of a deleted document. It is small. [1]",
            "| tombstone | the number of a deleted document. It is small. |",
        ),
        ("What joins segments?", "A merge joins segments [1]", "- A merge joins segments"),
    ],
)
def test_rows_and_items_are_sentences(question: str, expected: str, quoted: str) -> None:
    found = [Candidate("d", TABLE, 0, len(TABLE))]
    generator = load_generator(ExtractiveConfig(sentences=1))
    (answer,) = generator.answer([Task(question, found)])
    assert answer.text == expected
    assert [quote.text for one in answer.citations for quote in one.quotes] == [quoted]


def test_extractive_answers_have_no_code_headers_or_directives() -> None:
    text = (
        "| tombstone | meaning |\n|---|---|\n| delta | passages |\n\n::: twindex.tombstone\n\n"
        "```python\ntombstone = {\n```\n\nA [tombstone](words.md#t) marks<br>a document.\n"
    )
    found = [Candidate("d", text, 0, len(text))]
    generator = load_generator(ExtractiveConfig(sentences=1))
    (answer,) = generator.answer([Task("What is a tombstone?", found)])
    assert answer.text == "A tombstone marks a document. [1]"
    (quote,) = answer.citations[0].quotes
    assert quote.text == "A [tombstone](words.md#t) marks<br>a document."
