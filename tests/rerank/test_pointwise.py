"""Pointwise reranking: scores, generated answers, calls."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import UnsupportedError
from twindex.llm import FakeModel
from twindex.rerank import Candidate, PointwiseConfig, Task
from twindex.rerank.pointwise.reranker import PointwiseReranker, parse_answer

WRITTEN = PointwiseConfig(mode="generation")


def answering(answers: dict[str, str]) -> FakeModel:
    return FakeModel(
        answer=lambda prompt: next(a for t, a in answers.items() if f'"{t}"' in prompt)
    )


@given(st.lists(st.tuples(st.floats(-50, 0), st.floats(-50, 0)), max_size=12))
def test_the_score_is_the_probability_of_yes(pairs: list[tuple[float, float]]) -> None:
    def likelihood(prompt: str, answer: str) -> float:
        number = int(prompt.split('Passage: "d')[1].split('"')[0])
        return pairs[number][["Yes", "No"].index(answer)]

    task = Task("q", [Candidate(str(i), f"d{i}") for i in range(len(pairs))])
    (found,) = PointwiseReranker(PointwiseConfig(), FakeModel(likelihood=likelihood)).rerank([task])
    chances = [math.exp(yes) / (math.exp(yes) + math.exp(no)) for yes, no in pairs]
    for placed in found.order:
        assert placed.score == pytest.approx(chances[placed.index])
    order = [placed.index for placed in found.order]
    scores = {placed.index: placed.score for placed in found.order}
    assert order == sorted(range(len(pairs)), key=lambda i: (-scores[i], i))
    assert found.usage.calls == len(pairs)


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        *[(yes, 1) for yes in ("Yes", " yes.", "YES, it does")],
        *[(no, 0) for no in ("No", "**No**", "\nno")],
        *[(other, 0.5) for other in ("", "Maybe", "Yes or no", "Not sure", "Yesterday")],
    ],
)
def test_generated_answers_are_parsed(answer: str, score: float) -> None:
    found = parse_answer(answer)
    assert found.score == score
    assert found.answer == (answer if score == 0.5 else None)


def test_unreadable_answers_rank_between_yes_and_no() -> None:
    model = answering({"a": "No", "b": "Perhaps", "c": " Yes", "d": "Yes"})
    task = Task("q", [Candidate(name, name) for name in "abcd"])
    (found,) = PointwiseReranker(WRITTEN, model).rerank([task])
    assert [(placed.index, placed.score) for placed in found.order] == [
        (2, 1.0),
        (3, 1.0),
        (1, 0.5),
        (0, 0.0),
    ]
    assert found.warnings == ("1 answers were neither yes nor no",)
    assert found.order[2].reasons == {"answer": "Perhaps"}
    assert found.status == "complete"


def test_prompts_of_a_query_share_a_prefix_and_a_call() -> None:
    calls: list[list[str]] = []

    class Listening(FakeModel):
        def likelihood(self, prompts: Any, continuations: Any) -> Any:
            calls.append([self.render(prompt) for prompt in prompts])
            return super().likelihood(prompts, continuations)

    tasks = [Task(q, [Candidate(str(i), f"{q}{i}") for i in range(n)]) for q, n in
             (("one", 9), ("two", 2), ("three", 1))]  # fmt: skip
    PointwiseReranker(PointwiseConfig(), Listening()).rerank(tasks)
    assert sorted(map(len, calls)) == [3, 9]
    (many,) = (call for call in calls if len(call) == 9)
    assert all(prompt.startswith('[user] Query: "one"\n\nPassage: "') for prompt in many)


def test_long_passages_are_cut_and_counted() -> None:
    task = Task("q", [Candidate("1", "word " * 9), Candidate("2", "word " * 8)])
    reranker = PointwiseReranker(PointwiseConfig(passage_tokens=8), FakeModel())
    assert reranker.rerank([task])[0].truncated == 1


def test_a_model_without_likelihoods_needs_mode_generation() -> None:
    class Writer(FakeModel):
        @property
        def capabilities(self) -> Any:
            return frozenset({"generate"})

    with pytest.raises(UnsupportedError, match='mode = "generation"'):
        PointwiseReranker(PointwiseConfig(), Writer())
    PointwiseReranker(WRITTEN, Writer())
