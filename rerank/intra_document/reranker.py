"""The intra-document cascade: a cheap scorer reads all of a document, a costly one the best of it.

Hofstätter, Mitra, Zamani, Craswell and Hanbury, "Intra-Document Cascading: Learning to Select
Passages for Neural Document Ranking" (SIGIR 2021), IDCM. A document is cut into windows
(`windows`), the cheap scorer picks the n best (`scorer`), the costly reranker scores these, and

    score(q, d) = sum over i = 1 ... k of  theta_i * (i-th best of the costly scores).

So a document costs at most n costly calls, however long it is.

Scores of costly models can be logits, below zero. Of documents with k windows or more the sum
orders well whatever the scale is. One with fewer windows would win by having fewer terms where
scores are negative, and lose where they are positive; so by default its sum is stretched as if the
windows that it lacks scored as those that it has (`absent` in `IntraDocumentConfig`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Generic

import numpy as np

from ...ask import Cost, Memory, Meter, Status, as_twindex_error, digest
from ...ask.waiting import Overdue, Waiting
from ...core import ConfigError, Passage, TwindexError
from ..protocol import Budget, Candidate, Needs, Placed, Reranked, Reranker, Task
from ..scoring import Scored, placed
from .config import IntraDocumentConfig
from .lexical_scorer import LexicalScorer
from .scorer import F, WindowScorer
from .windows import cut

FAST = "the passage scorer"

PICKING = 0.5
"""Share of the milliseconds of a budget in which documents are prepared; the costly part begins
then at the latest, with those that are."""

BESIDE = 10_000
"""Characters that could be prepared in the time that a document takes whatever its length: the
first may be short, and must not make long ones seem endless."""


@dataclass(frozen=True, slots=True)
class _Known(Generic[F]):
    """What is remembered of a document."""

    windows: Sequence[Passage]
    form: F


@dataclass(frozen=True, slots=True)
class _Picked:
    """A window that the costly reranker reads."""

    window: Passage
    fast: float


@dataclass(slots=True)
class _Run(Generic[F]):
    """A task under way. known, picked: of its first documents, as far as there was time."""

    task: Task
    judged: int
    known: list[_Known[F]] = field(default_factory=list)
    picked: list[list[_Picked]] = field(default_factory=list)
    error: TwindexError | None = None
    warnings: list[str] = field(default_factory=list)


class IntraDocumentReranker(Generic[F]):
    """See the module. `slow` gives each text a score by itself; `fast` picks the windows.

    The costly reranker gets the windows of a query as one task: those of the first candidate, best
    first, then those of the next. So its own batches, memory and failures are those of any task,
    and a budget that runs out leaves the lower candidates unjudged. A document of which it has read
    only a part counts as unjudged too. `Usage` is that of the costly reranker; candidates of a
    budget are documents.

    Reasons: `windows`, those read, best first: start and end (characters of the document's text),
    `fast` and `score`; `of`: how many windows the document has.

    Candidates `truncated` are at most so many: windows that the costly reranker has cut.
    """

    kind = "intra_document"

    def __init__(
        self,
        config: IntraDocumentConfig,
        slow: Reranker | None = None,
        fast: WindowScorer[F] | None = None,
    ) -> None:
        """slow, fast: None = those of the configuration."""
        self._config = config
        self._slow = config.slow.load() if slow is None else slow
        weights: Sequence[float] | None = None
        if fast is None:
            fast, weights = _load(config)
        self._fast = fast
        given = config.weights or weights or (1.0,) * config.best
        self._weights = np.array(given, np.float64)
        self._memory: Memory[_Known[F]] = Memory(config.memory, _weight)
        self._waiting = Waiting()

    @property
    def needs(self) -> Needs:
        return self._slow.needs

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        budget = budget or Budget()
        meter = Meter(budget)
        until = None
        if budget.milliseconds is not None:
            until = meter.began + PICKING * budget.milliseconds / 1e3
        runs: list[_Run[F]] = []
        for task in tasks:
            total = len(task.candidates)
            judged = total if budget.candidates is None else min(total, budget.candidates)
            runs.append(_Run(task, judged))
        self._prepare(runs, until)
        for run in runs:
            self._pick(run, meter.deadline)
        left = meter.left().model_copy(update={"candidates": None})
        asked = [replace(run.task, candidates=self._questions(run)) for run in runs]
        results = self._slow.rerank(asked, left)
        seconds = perf_counter() - meter.began
        return [
            self._result(run, result, seconds) for run, result in zip(runs, results, strict=True)
        ]

    def prepare(self, texts: Sequence[str]) -> None:
        """Get documents ready before they are asked for; what is remembered is bounded."""
        for text in texts:
            self._known(text, None)

    def _prepare(self, runs: Sequence[_Run[F]], until: float | None) -> None:
        """Cut documents into windows: first the first of every task."""
        for place in range(max((run.judged for run in runs), default=0)):
            for run in runs:
                if run.error is not None or not place < run.judged:
                    continue
                run.task.guard.check()
                text = run.task.candidates[place].body(self._config.text)
                try:
                    run.known.append(self._known(text, until))
                except Overdue as late:
                    run.warnings.extend(late.warnings)
                    return
                except Exception as error:  # noqa: BLE001 - whatever a model or tokenizer raises
                    run.error = as_twindex_error(error, FAST)

    def _known(self, text: str, until: float | None) -> _Known[F]:
        """Raises Overdue."""
        key = digest(text)
        known = self._memory.get(key)
        if known is not None:
            return known

        def make() -> _Known[F]:
            windows = cut(text, self._config.size, self._config.overlap)
            made = _Known(windows, self._fast.prepare(text, windows))
            self._memory.put(key, made)
            return made

        # One that is not ready in time goes on in its thread: the next query finds it done.
        cost = Cost(0, len(text) + BESIDE)
        if not self._waiting.chunk([cost], until):
            raise Overdue
        return self._waiting.call(make, cost.tokens, until)

    def _pick(self, run: _Run[F], deadline: float | None) -> None:
        """The windows to be read of each document, best first; equal ones in their order."""
        if run.error is not None:
            return
        try:
            scores = self._fast.scores(run.task.query, [one.form for one in run.known], deadline)
        except Exception as error:  # noqa: BLE001
            run.error = as_twindex_error(error, FAST)
            return
        for known, values in zip(run.known, scores, strict=False):
            best = np.argsort(-values, kind="stable")[: self._config.windows]
            run.picked.append([_Picked(known.windows[i], float(values[i])) for i in best])

    def _questions(self, run: _Run[F]) -> list[Candidate]:
        """The picked windows as candidates of their own."""
        return [
            Candidate(f"{place}.{number}", text[one.window.start : one.window.end], found.title)
            for place, (found, picked) in enumerate(
                zip(run.task.candidates, run.picked, strict=False)
            )
            for text in [found.body(self._config.text)]
            for number, one in enumerate(picked)
        ]

    def _result(self, run: _Run[F], slow: Reranked, seconds: float) -> Reranked:
        error = run.error or slow.error
        total = len(run.task.candidates)
        found: list[Scored | None] = [None] * total
        if error is None:
            given = {one.index: worth(one) for one in slow.order if one.judged}
            first = 0
            for place, picked in enumerate(run.picked):
                costly = [given.get(first + i) for i in range(len(picked))]
                first += len(picked)
                read = [score for score in costly if score is not None]
                if len(read) == len(picked):
                    reasons = _reasons(picked, read, len(run.known[place].windows))
                    found[place] = Scored(self._score(read), reasons)
        order = placed(found)
        warnings = [*run.warnings, *slow.warnings]
        if slow.truncated:
            warnings.append(f"{slow.truncated} windows were longer than {self._slow.kind} reads")
        judged = sum(one.judged for one in order)
        status: Status = "complete" if judged == total else "partial"
        return Reranked(
            order=order,
            status="failed" if error is not None else status,
            usage=slow.usage,
            seconds=seconds,
            truncated=min(slow.truncated, judged),
            warnings=warnings,
            error=error,
        )

    def _score(self, costly: Sequence[float]) -> float:
        """Of a document, from the scores of the windows read."""
        best = np.sort(np.array(costly, np.float64))[::-1][: len(self._weights)]
        weights = self._weights[: len(best)]
        score = float(weights @ best)
        if self._config.absent == "mean":
            # The same for every document that is long enough.
            whole = self._weights[: self._config.windows].sum()
            score *= float(whole / weights.sum())
        return score


def worth(placed: Placed) -> float | None:
    """What a window counts: the logit, as in the paper, where the costly reranker tells it beside a
    score that grows with it; not where a calibration has been asked for."""
    if "logit" in placed.reasons and "raw" not in placed.reasons:
        return float(placed.reasons["logit"])
    return placed.score


def _load(config: IntraDocumentConfig) -> tuple[WindowScorer[Any], Sequence[float] | None]:
    """The scorer that picks, and the weights that were trained with it.

    Raises ConfigError for a folder that cannot be used as the configuration says.
    """
    if config.fast == "lexical":
        return LexicalScorer(config.analyzer), None
    from .kernel_scorer import KernelScorer

    scorer = KernelScorer.load(Path(config.fast).expanduser())
    weights = scorer.options.weights
    if config.weights is None and weights is not None and len(weights) != config.best:
        raise ConfigError(
            f"the passage scorer has weights for the {len(weights)} best windows: "
            f"set `best` to {len(weights)}, or give `weights`",
            field="best",
        )
    return scorer, weights


def _weight(known: _Known[Any]) -> int:
    """Bytes: of an object with two numbers in a list, and of arrays."""
    return 120 * len(known.windows) + int(known.form.nbytes)


def _reasons(picked: Sequence[_Picked], costly: Sequence[float], windows: int) -> Mapping[str, Any]:
    read = sorted(zip(picked, costly, strict=True), key=lambda pair: -pair[1])
    shown = [
        {"start": one.window.start, "end": one.window.end, "fast": one.fast, "score": score}
        for one, score in read
    ]
    return {"windows": shown, "of": windows}
