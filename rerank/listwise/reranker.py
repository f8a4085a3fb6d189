"""A language model orders a window of passages, which slides from the bottom to the top.

Sun et al., "Is ChatGPT good at search? Investigating large language models as re-ranking agents"
(2023), RankGPT: what is good in a window moves into the next one above, which overlaps it. Answers
are repaired: numbers left out follow in their order, repeated and unknown ones are passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import model_validator

from ...ask import Cost, Judgement, digest
from ...ask.asking import AnsweringModel
from ...ask.fitting import plan
from ...ask.permutation import Permutation, permutation
from ...ask.reading import SLACK, Reader
from ...core.bounds import Bounds, Few, Tokens
from ...llm import LanguageModel
from ...llm.protocol import Prompt
from ..config import RERANKERS, PromptingConfig
from ..placing import Course, Outcome, Placing
from ..protocol import Budget, Needs, Placed, Reranked, Task

PROMPT = """\
Query: "{query}"

{passages}

Order these {count} passages by how relevant they are to the query, the most relevant first. Write \
only their numbers, each of them once, as in [2] > [1]:"""

BEGUN = "["

WRITTEN = 6
"""Tokens of a written answer for each passage: "[12] > " in most vocabularies."""


@RERANKERS.register
class ListwiseConfig(PromptingConfig):
    """A language model asked to order a window of passages, which slides from the bottom up
    (RankGPT, Sun et al., 2023)."""

    made_by = ".reranker:ListwiseReranker"

    kind: Literal["listwise"] = "listwise"
    window: Annotated[int, Bounds(2, 1_000)] = 20
    """Passages in a prompt."""
    step: Few = 10
    """Passages that the window moves up by, at most its size."""
    passes: Annotated[int, Bounds(1, 100)] = 1
    """Times that it goes over all candidates."""
    passage_tokens: Tokens = 128
    """Tokens read of each passage, at most."""

    @model_validator(mode="after")
    def _windows_overlap(self) -> Self:
        if self.step > self.window:
            raise ValueError("step: more than the window, which would leave passages out")
        return self


def prompt(query: str, passages: Sequence[str]) -> str:
    lines = "\n\n".join(f'[{n}] "{passage}"' for n, passage in enumerate(passages, 1))
    return PROMPT.format(query=query, passages=lines, count=len(passages))


@dataclass(frozen=True, slots=True)
class _Window:
    """Passages in their order; key: digests of query and passages."""

    query: str
    texts: Sequence[str]
    key: tuple[bytes, ...]


@dataclass(slots=True)
class _Tally:
    """What the answers to one task were like. windows, missing: of each candidate, how often it
    was in a window, and how often the answer left it out."""

    answers: list[Permutation] = field(default_factory=list)
    windows: Counter[int] = field(default_factory=Counter)
    missing: Counter[int] = field(default_factory=Counter)

    def add(self, places: Sequence[int], answer: Permutation) -> None:
        self.answers.append(answer)
        self.windows.update(places)
        self.missing.update(places[i] for i in answer.missing)

    @property
    def read(self) -> bool:
        """Whether any answer could be read, or none was asked for."""
        return not self.answers or any(answer.read for answer in self.answers)

    def warnings(self) -> list[str]:
        found, total = [], len(self.answers)
        if unread := sum(not answer.read for answer in self.answers):
            found.append(f"{unread} of {total} answers held no number: the order was kept there")
        repaired = [answer for answer in self.answers if answer.read and answer.repaired]
        if repaired:
            missing = sum(len(answer.missing) for answer in repaired)
            repeated = sum(answer.repeated for answer in repaired)
            unknown = sum(answer.unknown for answer in repaired)
            found.append(
                f"{len(repaired)} of {total} answers were repaired: {missing} numbers missing, "
                f"{repeated} repeated, {unknown} unknown"
            )
        return found


class ListwiseReranker:
    """See the module and `ListwiseConfig`.

    It gives no scores. reasons: `windows` that a candidate was in, and how often the answer left it
    out (`missing`). A task of whose answers none could be read keeps its order and is "partial".

    A budget that does not suffice for all candidates is spent on the first n of them, as many as
    can be brought to an end; those behind them are not judged.

    model: instead of that of the configuration. Raises UnsupportedError for one that does not write
    and ConfigError where a window is more than it reads.
    """

    kind = "listwise"
    needs = Needs()

    def __init__(self, config: ListwiseConfig, model: LanguageModel | None = None) -> None:
        model = config.language_model() if model is None else model
        self._config = config
        self._judge = _Judge(model, config)
        self._placing: Placing[_Window, Permutation] = Placing(self._judge)

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        limits = budget or Budget()
        return self._placing.rerank(tasks, lambda task: self._course(task, limits), budget)

    def _course(self, task: Task, budget: Budget) -> Course[_Window, Permutation]:
        texts = _Texts(task, self._config)
        count, width, step = len(task.candidates), self._config.window, self._config.step

        def needed(n: int) -> int:
            return self._config.passes * len(windows(n, width, step))

        def most() -> Cost:
            return self._judge.most(task.query, texts.texts)

        order, judged, tally = list(range(count)), 0, _Tally()
        for size in plan(count, needed, budget, most, self._placing.speed):
            for _ in range(self._config.passes):
                now = order[:size]
                done = yield from self._slide(texts, now, tally)
                if done or judged == size:  # else its best are still on their way to the top
                    order[:size], judged = now, size
                if not done:
                    return _outcome(order, judged, tally)
        return _outcome(order, judged, tally)

    def _slide(
        self, texts: _Texts, order: list[int], tally: _Tally
    ) -> Generator[Sequence[_Window], Sequence[Permutation | None], bool]:
        """One pass, in place. Whether it came to its end."""
        for window in windows(len(order), self._config.window, self._config.step):
            places = [order[i] for i in window]
            (answer,) = yield [texts.window(places)]
            if answer is None:
                return False
            tally.add(places, answer)
            order[window.start : window.stop] = [places[i] for i in answer.order]
        return True


def windows(count: int, width: int, step: int) -> list[range]:
    """Places of the windows, from the bottom up; the last one begins at the top."""
    if count < 2:
        return []
    starts = [*range(count - width, 0, -step), 0]
    return [range(start, min(start + width, count)) for start in starts]


class _Texts:
    """What windows of a task are made of."""

    def __init__(self, task: Task, config: ListwiseConfig) -> None:
        self._query = task.query
        self.texts = [candidate.read(config.text) for candidate in task.candidates]
        self._key = digest(task.query)
        self._keys = [digest(text) for text in self.texts]

    def window(self, places: Sequence[int]) -> _Window:
        key = (self._key, *(self._keys[i] for i in places))
        return _Window(self._query, [self.texts[i] for i in places], key)


def _outcome(order: Sequence[int], judged: int, tally: _Tally) -> Outcome:
    if not tally.read:
        order, judged = range(len(order)), 0
    placed = [
        Placed(i, None, {"windows": tally.windows[i], "missing": tally.missing[i]})
        for i in order[:judged]
    ]
    rest = [Placed(i, judged=False) for i in order[judged:]]
    return Outcome([*placed, *rest], complete=not rest, warnings=tally.warnings())


class _Judge:
    def __init__(self, model: LanguageModel, config: ListwiseConfig) -> None:
        self._asking = AnsweringModel(model, "generation")
        self._reader = Reader(model, config.passage_tokens)
        self._width = config.window
        self._frame = self._reader.frame(prompt("", []), BEGUN)
        self._each = self._reader.count('[100] ""') + SLACK
        most = config.window * (config.passage_tokens + self._each + WRITTEN)
        self._reader.check_limit(self._frame + most, field="window")

    def costs(self, questions: Sequence[_Window]) -> list[Cost]:
        return [
            self._cost(
                question.query, [self._reader.passage(text).tokens for text in question.texts]
            )
            for question in questions
        ]

    def most(self, query: str, texts: Sequence[str]) -> Cost:
        """What a window of any of the texts costs at most."""
        sizes = sorted(self._reader.passage(text).tokens for text in texts)
        return self._cost(query, sizes[-self._width :])

    def _cost(self, query: str, sizes: Sequence[int]) -> Cost:
        """Of a prompt with passages of so many tokens, and of its answer."""
        each = len(sizes) * (self._each + WRITTEN)
        return Cost(1, self._frame + self._reader.query(query).tokens + sum(sizes) + each)

    def key(self, question: _Window) -> Hashable:
        return question.key

    def ask(self, questions: Sequence[_Window]) -> list[Judgement[Permutation]]:
        found: list[Judgement[Permutation]] = [Judgement(Permutation(()))] * len(questions)
        by_length: dict[int, list[int]] = {}
        for number, question in enumerate(questions):
            by_length.setdefault(len(question.texts), []).append(number)
        for length, numbers in by_length.items():
            asked = [self._prompt(questions[number]) for number in numbers]
            written = self._asking.generate(asked, WRITTEN * length)
            for number, one in zip(numbers, written, strict=True):
                answer = permutation(BEGUN + one.text, length, cut=one.finish == "length")
                window = questions[number]
                cut = self._reader.cut(window.key[1:], window.texts)
                found[number] = Judgement(answer, one.usage, cut)
        return found

    def _prompt(self, question: _Window) -> Prompt:
        passages = [self._reader.passage(text).text for text in question.texts]
        said = prompt(self._reader.query(question.query).text, passages)
        return self._reader.prompt(said, BEGUN)
