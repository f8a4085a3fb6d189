"""Fake language models with known preferences, for tests of rerankers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

import pytest

from twindex.llm import FakeModel
from twindex.rerank import Candidate, Task


class Preferring:
    """Models that compare candidates "d0", "d1" ..., whose texts are the same."""

    @staticmethod
    def task(count: int, query: str = "q") -> Task:
        return Task(query, [Candidate(f"d{i}", f"d{i}") for i in range(count)])

    @staticmethod
    def shuffled(count: int, seed: int) -> list[int]:
        values = list(range(count))
        random.Random(seed).shuffle(values)
        return values

    @staticmethod
    def passages(prompt: str) -> tuple[int, int]:
        """The candidates that are Passage A and Passage B."""
        a, b = re.findall(r'^Passage [AB]: "d(\d+)"$', prompt, re.MULTILINE)
        return int(a), int(b)

    @classmethod
    def judge(cls, says: Callable[[int, int], int]) -> FakeModel:
        """says: preference for Passage A and Passage B: 1 = A, -1 = B, 0 = neither.

        Likelihoods and generated answers agree.
        """

        def likelihood(prompt: str, answer: str) -> float:
            return -1.0 + 0.25 * says(*cls.passages(prompt)) * {" A": 1, " B": -1}[answer]

        def answer(prompt: str) -> str:
            return {1: " A", -1: " B", 0: " Neither"}[says(*cls.passages(prompt))]

        return FakeModel(answer=answer, likelihood=likelihood)

    @classmethod
    def perfect(cls, values: Sequence[float]) -> FakeModel:
        """Prefers the candidate with the higher value, in every kind of prompt."""
        two = cls.judge(lambda a, b: (values[a] > values[b]) - (values[a] < values[b]))

        def likelihood(prompt: str, answer: str) -> float:
            if "Passage A" in prompt:
                return two.likelihood([prompt], [answer]).total.item()
            (one,) = re.findall(r'^Passage: "d(\d+)"$', prompt, re.MULTILINE)
            return values[int(one)] / 100 if answer.strip() == "Yes" else 0.0

        def answer(prompt: str) -> str:
            if "Passage A" in prompt:
                return two.generate([prompt])[0].text
            shown = re.findall(r'^\[(\d+)\] "d(\d+)"$', prompt, re.MULTILINE)
            shown.sort(key=lambda found: -values[int(found[1])])
            return " > ".join(f"[{number}]" for number, _ in shown)[1:]

        return FakeModel(answer=answer, likelihood=likelihood)


@pytest.fixture(scope="session")
def preferring() -> type[Preferring]:
    return Preferring
