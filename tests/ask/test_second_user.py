"""A use of `Rounds` other than reranking: queries are reworded until nothing new is found."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest

from twindex.ask import Cost, Course, Judgement, Limits, Outcome, Rounds, digest
from twindex.ask.asking import AnsweringModel
from twindex.core import Guard, ModelError
from twindex.llm import FakeModel, Message

AGAIN = {"cheap flights": "low cost flights", "low cost flights": "budget air travel"}


class Writer:
    """A judge whose questions and answers are wordings of a query."""

    def __init__(self, model: FakeModel) -> None:
        self._asking = AnsweringModel(model, "generation")
        self.asked: list[list[str]] = []

    def costs(self, questions: Sequence[str]) -> list[Cost]:
        return [Cost(1, 50) for _ in questions]

    def ask(self, questions: Sequence[str]) -> list[Judgement[str]]:
        self.asked.append(list(questions))
        written = self._asking.generate([[Message("user", q)] for q in questions], 16)
        return [Judgement(one.text.strip(), one.usage) for one in written]

    def key(self, question: str) -> Hashable:
        return digest(question)


def wordings(query: str) -> Course[str, str, list[str]]:
    found = [query]
    while True:
        (answer,) = yield [found[-1]]
        if answer == "":
            return Outcome(found, complete=False, warnings=["an answer was empty"])
        if answer is None or answer in found:
            return found
        found.append(answer)


def answer(prompt: str) -> str:
    if "broken" in prompt:
        raise ModelError("the model is gone")
    return next((new for old, new in AGAIN.items() if old in prompt), "")


@pytest.fixture
def writer() -> Writer:
    return Writer(FakeModel(answer=answer))


def test_courses_share_calls_and_answers(writer: Writer) -> None:
    rounds: Rounds[str, str] = Rounds(writer)
    first, second = rounds.run([wordings("cheap flights"), wordings("low cost flights")])
    assert first.result == ["cheap flights", "low cost flights", "budget air travel"]
    assert second.result == first.result[1:]
    assert writer.asked[0] == ["cheap flights", "low cost flights"]
    assert sum(map(len, writer.asked)) == 3, (
        "a question that the other course asked is not repeated"
    )
    assert (first.status, first.warnings) == ("partial", ("an answer was empty",))
    assert first.usage.calls + second.usage.calls == 3


def test_limits_end_a_course_with_a_partial_result(writer: Writer) -> None:
    (found,) = Rounds(writer).run([wordings("cheap flights")], Limits(calls=1))
    assert (found.result, found.status) == (["cheap flights", "low cost flights"], "partial")
    assert (found.usage.calls, found.error) == (1, None)


def test_failure_affects_one_course_only(writer: Writer) -> None:
    good, bad = Rounds(writer).run([wordings("low cost flights"), wordings("broken")])
    assert good.result == ["low cost flights", "budget air travel"]
    assert (bad.result, bad.status, str(bad.error)) == (None, "failed", "the model is gone")


def test_failure_names_the_given_model() -> None:
    def answer(prompt: str) -> str:
        raise RuntimeError("no memory")

    plain, own = Rounds(Writer(FakeModel(answer=answer))), Writer(FakeModel(answer=answer))
    (found,) = plain.run([wordings("cheap flights")])
    assert str(found.error) == "the model failed with RuntimeError: no memory"
    (found,) = Rounds(own, model="the writer").run([wordings("cheap flights")])
    assert str(found.error) == "the writer failed with RuntimeError: no memory"


def test_guard_ends_all_courses(writer: Writer) -> None:
    def gone() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        Rounds(writer).run([wordings("cheap flights")], guard=Guard(gone))
    assert writer.asked == []
