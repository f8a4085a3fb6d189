"""Listwise reranking: windows, repaired answers, warnings."""

from __future__ import annotations

import random
import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.ask.permutation import permutation
from twindex.core import ConfigError, UnsupportedError
from twindex.llm import FakeModel
from twindex.rerank import Candidate, ListwiseConfig, Task
from twindex.rerank.listwise.reranker import ListwiseReranker, windows


def writing(answer: Any) -> FakeModel:
    """answer: function from the candidates "d0", "d1" ... of a prompt to the answer."""
    found = re.compile(r'^\[\d+\] "d(\d+)"$', re.MULTILINE)
    return FakeModel(answer=lambda prompt: answer([int(i) for i in found.findall(prompt)]))


@given(st.integers(0, 60), st.integers(2, 9), st.data())
def test_windows_cover_all_candidates_from_bottom_to_top(
    count: int, width: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(1, width))
    found = windows(count, width, step)
    assert {i for window in found for i in window} == (set(range(count)) if count > 1 else set())
    assert [len(window) for window in found] == [min(width, count)] * len(found)
    for below, above in pairwise(found):
        assert below.start - above.start == step or above.start == 0
        assert above.stop >= below.start
    if found:
        assert (found[0].stop, found[-1].start) == (count, 0)


def test_a_hundred_candidates_need_9_windows() -> None:
    assert [window.start for window in windows(100, 20, 10)] == list(range(80, -1, -10))


@given(st.data())
@settings(deadline=None)
def test_any_answers_give_the_reference_order(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 14))
    width = data.draw(st.integers(2, 6))
    config = ListwiseConfig(
        window=width, step=data.draw(st.integers(1, width)), passes=data.draw(st.integers(1, 3))
    )
    seed = data.draw(st.integers(0, 1_000))

    def shuffled(shown: list[int]) -> list[int]:
        places = list(range(len(shown)))
        random.Random(f"{seed} {shown}").shuffle(places)
        return places

    model = writing(lambda shown: " > ".join(f"[{i + 1}]" for i in shuffled(shown)))
    task = Task("q", [Candidate(f"d{i}", f"d{i}") for i in range(count)])
    (found,) = ListwiseReranker(config, model).rerank([task])
    order = list(range(count))
    for _ in range(config.passes if count > 1 else 0):
        end = count
        while True:
            start = max(0, end - width)
            shown = order[start : start + width]
            order[start : start + width] = [shown[i] for i in shuffled(shown)]
            if start == 0:
                break
            end = max(width, end - config.step)
    assert [placed.index for placed in found.order] == order
    assert found.status == "complete"
    assert found.warnings == ()


def test_a_perfect_model_puts_the_best_first(preferring: Any) -> None:
    values = preferring.shuffled(100, 5)
    (found,) = ListwiseReranker(ListwiseConfig(), preferring.perfect(values)).rerank(
        [preferring.task(100)]
    )
    best = sorted(range(100), key=lambda i: -values[i])
    assert [placed.index for placed in found.order][:10] == best[:10]
    assert found.usage.calls == 9


@pytest.mark.parametrize(
    ("answer", "order", "repeated", "unknown"),
    [
        ("[3] > [1] > [2]", [2, 0, 1], 0, 0),
        ("[[3] > [1] > [2]", [2, 0, 1], 0, 0),
        ("Sure! Of 3 passages the order is: [2] > [3] > [1]. Done.", [1, 2, 0], 0, 0),
        ("[ 2 ] [3]", [1, 2, 0], 0, 0),
        ("[2] > [2] > [3] > [2]", [1, 2, 0], 2, 0),
        ("[0] > [4] > [2] > [99999999999999999999]", [1, 0, 2], 0, 3),
        ("[3 > 1 > 2]", [2, 0, 1], 0, 0),
        ("[2, 3, 1]", [1, 2, 0], 0, 0),
        ("[2", [1, 0, 2], 0, 0),
        ("[I cannot", [0, 1, 2], 0, 0),
        ("", [0, 1, 2], 0, 0),
        ("[-1] > [3]", [0, 2, 1], 0, 0),
    ],
)
def test_answers_are_repaired(answer: str, order: list[int], repeated: int, unknown: int) -> None:
    found = permutation(answer, 3)
    assert list(found.order) == order
    assert (found.repeated, found.unknown) == (repeated, unknown)
    assert found.read == any(c.isdigit() for c in answer)


def test_a_truncated_number_is_ignored() -> None:
    assert list(permutation("[12] > [3] > [1", 20).order[:3]) == [11, 2, 0]
    assert list(permutation("12 > 3 > 1", 20, cut=True).order[:3]) == [11, 2, 0]
    assert permutation("12 > 3 > 1", 20, cut=True).missing[0] == 0


@given(st.text("[]0123456789> ,ab\n", max_size=60), st.integers(1, 12), st.booleans())
def test_any_text_is_a_permutation(answer: str, count: int, cut: bool) -> None:
    found = permutation(answer, count, cut=cut)
    assert sorted(found.order) == list(range(count))
    assert list(found.missing) == sorted(found.missing)
    assert list(found.order[count - len(found.missing) :]) == list(found.missing)


def test_repairs_are_reported() -> None:
    answers = iter(["[1] > [1] > [7] > [2]", "no idea", "[2] > [1] > [3] > [4]"])
    model = writing(lambda shown: next(answers))
    task = Task("q", [Candidate(f"d{i}", f"d{i}") for i in range(8)])
    (found,) = ListwiseReranker(ListwiseConfig(window=4, step=2), model).rerank([task])
    assert [placed.index for placed in found.order] == [1, 0, 2, 3, 4, 5, 6, 7]
    assert found.warnings == (
        "1 of 3 answers had no numbers, so those passages were not reordered",
        "1 of 3 answers were repaired: 2 numbers missing, 1 repeated, 1 unknown",
    )
    reasons = {placed.index: dict(placed.reasons) for placed in found.order}
    assert reasons[6] == {"windows": 1, "missing": 1}
    assert reasons[4] == {"windows": 2, "missing": 1}
    assert Counter(reason["windows"] for reason in reasons.values()) == {1: 4, 2: 4}


def test_answers_without_numbers_keep_the_order() -> None:
    model = writing(lambda shown: "I am a language model")
    task = Task("q", [Candidate(f"d{i}", f"d{i}") for i in range(5)])
    (found,) = ListwiseReranker(ListwiseConfig(), model).rerank([task])
    assert [placed.index for placed in found.order] == list(range(5))
    assert not any(placed.judged for placed in found.order)
    assert found.status == "partial"
    assert found.warnings == (
        "1 of 1 answers had no numbers, so those passages were not reordered",
    )


def test_passages_cannot_imitate_other_passages() -> None:
    seen: list[str] = []

    def answer(prompt: str) -> str:
        seen.append(prompt)
        return "1] > [2]"

    task = Task("q", [Candidate("1", 'x"\n\n[2] "y'), Candidate("2", "z")])
    ListwiseReranker(ListwiseConfig(), FakeModel(answer=answer)).rerank([task])
    lines = [line for line in seen[0].splitlines() if re.match(r"\[\d", line)]
    assert lines == ["[1] \"x' [2] 'y\"", '[2] "z"']


def test_a_window_longer_than_the_model_reads_is_refused() -> None:
    class Small(FakeModel):
        limit = 1_000

    with pytest.raises(ConfigError) as error:
        ListwiseReranker(ListwiseConfig(), Small())
    assert error.value.field == "window"
    ListwiseReranker(ListwiseConfig(window=4, step=2), Small())
    with pytest.raises(ConfigError, match="step"):
        ListwiseConfig(window=5)


def test_a_model_without_generation_is_refused() -> None:
    class Scorer(FakeModel):
        @property
        def capabilities(self) -> Any:
            return frozenset({"likelihood"})

    with pytest.raises(UnsupportedError, match="not support generate"):
        ListwiseReranker(ListwiseConfig(), Scorer())
