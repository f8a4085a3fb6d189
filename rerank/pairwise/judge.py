"""Asks a language model which of two passages is more relevant, in both orders."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Literal

from ...ask import Cost, Judgement
from ...ask.asking import AnsweringModel, Mode, calls
from ...ask.reading import Reader
from ...core import Usage
from ...llm import LanguageModel
from ...llm.protocol import Prompt
from .board import Comparison, Verdict

PROMPT = """\
Given a query "{query}", which of the following two passages is more relevant to the query?

Passage A: "{first}"

Passage B: "{second}"

Output Passage A or Passage B:"""
"""Pairwise Ranking Prompting (Qin et al., 2023)."""

ANSWER_START = "Passage"
"""Beginning of the answer. The next token is then A or B."""

ANSWER_TOKENS = 4
"""Maximum tokens of a generated answer: the passage, and whether a second one follows."""

_LEADING = re.compile(r"\W*(passages?\W+)?([AB])\b", re.IGNORECASE)
_BOTH = re.compile(r"\W*(and|or|vs|versus)\b|\s*[/&+]|\s*,\s*(passage\W+)?[AB]\b", re.IGNORECASE)
_NAMED = re.compile(r"\bpassage\W+([AB])\b", re.IGNORECASE)

Side = Literal[0, 1]
_Prompt = tuple[int, Side]
"""(number of the question, side). Side 0: the first passage is Passage A; 1: the second is."""


def parse_preference(answer: str) -> Literal[1, 0, -1]:
    """Return the preference in a generated answer: 1 = Passage A, -1 = Passage B, 0 = neither/both.

    The answer continues "Passage", so it is usually "A" or " A.". A server may repeat "Passage" and
    answer "Passage A". A lower-case "a" followed by other words counts as an article.
    """
    leading = _LEADING.match(answer)
    if leading is None:
        named = {letter.upper() for letter in _NAMED.findall(answer)}
    elif _BOTH.match(answer, leading.end()):
        return 0
    else:
        passage, letter = leading.groups()
        if letter == "a" and not passage and re.search(r"\w", answer[leading.end() :]):
            return 0
        named = {letter.upper()}
    return 0 if len(named) != 1 else 1 if named == {"A"} else -1


class PairwiseJudge:
    """Compares two passages with a language model, in two prompts: one for each order.

    A passage wins if it is preferred in both prompts. Mode "scoring" compares the likelihoods of
    the answers "Passage A" and "Passage B"; equal likelihoods prefer neither. Mode "generation"
    reads the generated answer.
    """

    def __init__(self, model: LanguageModel, mode: Mode, passage_tokens: int) -> None:
        self._asking = AnsweringModel(model, mode)
        self._reader = Reader(model, passage_tokens)
        empty = PROMPT.format(query="", first="", second="")
        self._frame = self._reader.frame(empty, ANSWER_START)
        a, b = (self._reader.spaced(letter, begun=True) for letter in "AB")
        self._answers = a, b
        self._reader.check_limit(self._frame + 2 * passage_tokens, field="passage_tokens")

    def costs(self, questions: Sequence[Comparison]) -> list[Cost]:
        return [self._cost(size) for size in self._sizes(questions)]

    def max_cost(self, query: str, texts: Sequence[str]) -> Cost:
        """Return the cost of the most expensive comparison of two of these texts."""
        longest = sorted(self._reader.passage(text).tokens for text in texts)[-2:]
        return self._cost(self._frame + self._reader.query(query).tokens + sum(longest))

    def _cost(self, size: int) -> Cost:
        each = self._asking.cost(size, self._reader, written=ANSWER_TOKENS)
        return Cost(2 * each.calls, 2 * each.tokens)

    def key(self, question: Comparison) -> Hashable:
        return question.key

    def ask(self, questions: Sequence[Comparison]) -> list[Judgement[Verdict]]:
        # For each question: side -> preference for A; negative: B is preferred.
        found: list[dict[Side, float]] = [{} for _ in questions]
        usages = [Usage()] * len(questions)
        every: list[_Prompt] = [(n, side) for n in range(len(questions)) for side in (0, 1)]

        def query(asked: _Prompt) -> bytes:
            return questions[asked[0]].key[0]

        def passage(asked: _Prompt) -> tuple[bytes, bytes]:
            return query(asked), questions[asked[0]].key[1 + asked[1]]

        for asked in calls(every, passage, query):
            given = self._prefer(questions, asked)
            for (number, side), (value, usage) in zip(asked, given, strict=True):
                found[number][side] = value
                usages[number] += usage
        return [
            Judgement(
                self._verdict(values[0], values[1]),
                usage,
                self._reader.cut(question.key[1:], [question.first, question.second]),
            )
            for question, values, usage in zip(questions, found, usages, strict=True)
        ]

    def _prefer(
        self, questions: Sequence[Comparison], asked: Sequence[_Prompt]
    ) -> list[tuple[float, Usage]]:
        texts = [self._prompt(questions[number], side) for number, side in asked]
        if self._asking.mode == "generation":
            written = self._asking.generate(texts, ANSWER_TOKENS)
            return [(parse_preference(one.text), one.usage) for one in written]
        sizes = self._sizes([questions[number] for number, _ in asked])
        return self._asking.margins(texts, self._answers, sizes)

    def _verdict(self, as_a: float, as_b: float) -> Verdict:
        """Return the verdict of a comparison.

        A preference is positive for Passage A, negative for Passage B, and 0 for neither.

        as_a: preference in the prompt in which the first passage is Passage A.
        as_b: preference in the prompt in which the first passage is Passage B.
        """
        winner: Literal[1, 0, -1] = 1 if as_a > 0 > as_b else -1 if as_a < 0 < as_b else 0
        scoring = self._asking.mode == "scoring"
        return Verdict(winner, (as_a - as_b) / 2 if scoring else None)

    def _prompt(self, question: Comparison, side: Side) -> Prompt:
        query = self._reader.query(question.query).text
        texts = [self._reader.passage(text).text for text in (question.first, question.second)]
        text = PROMPT.format(query=query, first=texts[side], second=texts[1 - side])
        return self._reader.prompt(text, ANSWER_START)

    def _sizes(self, questions: Sequence[Comparison]) -> list[int]:
        """Return for each question the approximate number of tokens of each of its two prompts."""
        known: dict[bytes, int] = {}
        for question in questions:
            query, first, second = question.key
            if query not in known:
                known[query] = self._reader.query(question.query).tokens
            for key, text in ((first, question.first), (second, question.second)):
                if key not in known:
                    known[key] = self._reader.passage(text).tokens
        return [self._frame + sum(known[key] for key in one.key) for one in questions]
