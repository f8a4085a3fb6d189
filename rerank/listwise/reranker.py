"""Listwise reranking: a language model orders windows of passages, from the bottom to the top.

Sun et al., "Is ChatGPT good at search? Investigating large language models as re-ranking agents"
(2023), RankGPT. A window is a group of neighbouring passages. Neighbouring windows overlap, so the
best passages of a window move up into the next window.

An answer lists the passages by their numbers in the prompt. Incomplete answers are repaired:
missing numbers are appended in their previous order, and repeated or unknown numbers are ignored.
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

ANSWER_START = "["

TOKENS_PER_PASSAGE = 6
"""Number of tokens in an answer for each passage, such as "[12] > "."""


@RERANKERS.register
class ListwiseConfig(PromptingConfig):
    """A language model orders windows of passages, from the bottom to the top (RankGPT, Sun et al.,
    2023)."""

    made_by = ".reranker:ListwiseReranker"

    kind: Literal["listwise"] = "listwise"
    window: Annotated[int, Bounds(2, 1_000)] = 20
    """Number of passages in a window, which is one prompt."""
    step: Few = 10
    """Number of passages by which the window moves up each time; at most `window`."""
    passes: Annotated[int, Bounds(1, 100)] = 1
    """Number of passes over all candidates."""
    passage_tokens: Tokens = 128
    """Maximum tokens read of each passage; longer passages are cut."""

    @model_validator(mode="after")
    def _windows_overlap(self) -> Self:
        if self.step > self.window:
            raise ValueError(
                f"`step` must be at most `window` ({self.window}), got {self.step}; a larger step "
                "would skip passages"
            )
        return self


def prompt(query: str, passages: Sequence[str]) -> str:
    lines = "\n\n".join(f'[{n}] "{passage}"' for n, passage in enumerate(passages, 1))
    return PROMPT.format(query=query, passages=lines, count=len(passages))


@dataclass(frozen=True, slots=True)
class _Window:
    """A question to the model: how should these passages be ordered?

    key: digests of the query and the passages.
    """

    query: str
    texts: Sequence[str]
    key: tuple[bytes, ...]


@dataclass(slots=True)
class _Tally:
    """Statistics of the answers for one task.

    windows: position of a candidate -> number of windows that contained it.
    missing: position of a candidate -> number of answers that left it out.
    """

    answers: list[Permutation] = field(default_factory=list)
    windows: Counter[int] = field(default_factory=Counter)
    missing: Counter[int] = field(default_factory=Counter)

    def add(self, positions: Sequence[int], answer: Permutation) -> None:
        self.answers.append(answer)
        self.windows.update(positions)
        self.missing.update(positions[i] for i in answer.missing)

    @property
    def read(self) -> bool:
        """Return True if an answer contains numbers of passages, or if there are no answers."""
        return not self.answers or any(answer.read for answer in self.answers)

    def warnings(self) -> list[str]:
        found, total = [], len(self.answers)
        if unread := sum(not answer.read for answer in self.answers):
            found.append(
                f"{unread} of {total} answers had no numbers, so those passages were not reordered"
            )
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
    """Reranks by asking a language model to order windows of passages; see `ListwiseConfig`.

    model: the language model; None: load the one that the configuration describes.

    The result has no scores. The reasons of a candidate are `windows` (number of windows that
    contained the candidate) and `missing` (number of answers that left it out). If no answer
    contains numbers, the order is kept and the status is "partial".

    If the budget does not suffice for all candidates, only the first n are judged. n is the largest
    number of candidates that the budget suffices to rerank.

    Raises UnsupportedError for a model that cannot generate text, and ConfigError if a window is
    longer than the model can read.
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

        def max_cost() -> Cost:
            return self._judge.max_cost(task.query, texts.texts)

        order, judged, tally = list(range(count)), 0, _Tally()
        for size in plan(count, needed, budget, max_cost, self._placing.speed):
            for _ in range(self._config.passes):
                now = order[:size]
                done = yield from self._slide(texts, now, tally)
                if done or judged == size:  # Otherwise the best have not reached the top yet.
                    order[:size], judged = now, size
                if not done:
                    return _outcome(order, judged, tally)
        return _outcome(order, judged, tally)

    def _slide(
        self, texts: _Texts, order: list[int], tally: _Tally
    ) -> Generator[Sequence[_Window], Sequence[Permutation | None], bool]:
        """Run one pass of windows over the candidates, from the bottom to the top.

        order: positions of the candidates, which are reordered in place.

        Returns True if the pass was completed, and False if the budget ran out.
        """
        for window in windows(len(order), self._config.window, self._config.step):
            positions = [order[i] for i in window]
            (answer,) = yield [texts.window(positions)]
            if answer is None:
                return False
            tally.add(positions, answer)
            order[window.start : window.stop] = [positions[i] for i in answer.order]
        return True


def windows(count: int, width: int, step: int) -> list[range]:
    """Return the windows, from the bottom to the top. A window is the positions of its candidates.

    count: number of candidates.
    width: number of candidates in a window.
    step:  number of positions by which each window is above the previous window.
    """
    if count < 2:
        return []
    starts = [*range(count - width, 0, -step), 0]
    return [range(start, min(start + width, count)) for start in starts]


class _Texts:
    """The texts of one task, from which windows are made."""

    def __init__(self, task: Task, config: ListwiseConfig) -> None:
        self._query = task.query
        self.texts = [candidate.read(config.text) for candidate in task.candidates]
        self._key = digest(task.query)
        self._keys = [digest(text) for text in self.texts]

    def window(self, positions: Sequence[int]) -> _Window:
        key = (self._key, *(self._keys[i] for i in positions))
        return _Window(self._query, [self.texts[i] for i in positions], key)


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
        self._frame = self._reader.frame(prompt("", []), ANSWER_START)
        self._each = self._reader.count('[100] ""') + SLACK
        most = config.window * (config.passage_tokens + self._each + TOKENS_PER_PASSAGE)
        self._reader.check_limit(self._frame + most, field="window")

    def costs(self, questions: Sequence[_Window]) -> list[Cost]:
        return [
            self._cost(
                question.query, [self._reader.passage(text).tokens for text in question.texts]
            )
            for question in questions
        ]

    def max_cost(self, query: str, texts: Sequence[str]) -> Cost:
        """Return the cost of the most expensive window that can be made of these texts."""
        sizes = sorted(self._reader.passage(text).tokens for text in texts)
        return self._cost(query, sizes[-self._width :])

    def _cost(self, query: str, sizes: Sequence[int]) -> Cost:
        """Return the cost of a prompt and its answer.

        sizes: number of tokens of each passage in the prompt.
        """
        each = len(sizes) * (self._each + TOKENS_PER_PASSAGE)
        return Cost(1, self._frame + self._reader.query(query).tokens + sum(sizes) + each)

    def key(self, question: _Window) -> Hashable:
        return question.key

    def ask(self, questions: Sequence[_Window]) -> list[Judgement[Permutation]]:
        found: list[Judgement[Permutation]] = [Judgement(Permutation(()))] * len(questions)
        by_length: dict[int, list[int]] = {}
        for number, question in enumerate(questions):
            by_length.setdefault(len(question.texts), []).append(number)
        for length, numbers in by_length.items():
            prompts = [self._prompt(questions[number]) for number in numbers]
            written = self._asking.generate(prompts, TOKENS_PER_PASSAGE * length)
            for number, one in zip(numbers, written, strict=True):
                answer = permutation(ANSWER_START + one.text, length, cut=one.finish == "length")
                window = questions[number]
                cut = self._reader.cut(window.key[1:], window.texts)
                found[number] = Judgement(answer, one.usage, cut)
        return found

    def _prompt(self, question: _Window) -> Prompt:
        passages = [self._reader.passage(text).text for text in question.texts]
        text = prompt(self._reader.query(question.query).text, passages)
        return self._reader.prompt(text, ANSWER_START)
