"""The intra-document cascade: a cheap scorer picks windows, and a costly reranker reads only these.

Hofstätter, Mitra, Zamani, Craswell and Hanbury, "Intra-Document Cascading: Learning to Select
Passages for Neural Document Ranking" (SIGIR 2021), IDCM. A document is cut into windows. The cheap
scorer picks the n best windows. The costly reranker scores these, and

    score(q, d) = sum over i = 1 ... k of  theta_i * (i-th best of the costly scores).

n, k and the weights theta are `windows`, `best` and `weights` of `IntraDocumentConfig`. However
long a document is, it costs at most n calls of the costly reranker.

For a document with fewer than k windows, the sum is shorter. This would be an advantage if scores
are negative (logits), and a disadvantage if they are positive. By default (`absent` of the
configuration), the sum is therefore scaled up, as if the missing windows had the mean score of the
others.
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
from ...core.errors import within
from ..protocol import Budget, Candidate, Needs, Placed, Reranked, Reranker, Task
from ..scoring import Scored, ranked_by_score
from .config import IntraDocumentConfig
from .lexical_scorer import LexicalScorer
from .scorer import F, WindowScorer
from .windows import cut

FAST = "the passage scorer"

PREPARING_SHARE = 0.5
"""Fraction of the time limit after which no more documents are prepared, so that the costly
reranker has time for the prepared ones."""

FIXED_CHARACTERS = 10_000
"""Fixed cost of preparing a document, as a number of characters. Without it, a short first document
would make the estimate for long documents far too high."""


@dataclass(frozen=True, slots=True)
class _PreparedDocument(Generic[F]):
    """Cached data of a document: its windows, and the data that the cheap scorer prepared.

    form: result of `WindowScorer.prepare`.
    """

    windows: Sequence[Passage]
    form: F


@dataclass(frozen=True, slots=True)
class _PickedWindow:
    """A window that the costly reranker reads.

    fast: score of the window by the cheap scorer.
    """

    window: Passage
    fast: float


@dataclass(slots=True)
class _TaskState(Generic[F]):
    """What has been computed for one task so far.

    judged:   number of candidates that the budget allows.
    prepared: prepared documents of the first candidates, as many as the time limit allowed.
    picked:   picked windows of the first candidates, as many as the time limit allowed.
    error:    error of the cheap scorer; None if it did not fail.
    """

    task: Task
    judged: int
    prepared: list[_PreparedDocument[F]] = field(default_factory=list)
    picked: list[list[_PickedWindow]] = field(default_factory=list)
    error: TwindexError | None = None
    warnings: list[str] = field(default_factory=list)


class IntraDocumentReranker(Generic[F]):
    """Reranks long documents by their best windows (IDCM); see `IntraDocumentConfig`.

    The cheap scorer picks windows. The costly reranker receives all picked windows of a query as
    one task: first the windows of the first candidate, best first, then those of the next. If the
    budget runs out, the lower candidates are not judged. A document is judged only if all of its
    picked windows were read. `Budget.candidates` counts documents. The usage in the result is that
    of the costly reranker.

    Reasons of a hit:
        windows: windows that were read, best first. Each has `start` and `end` (characters of the
            document's text), `fast` (score of the cheap scorer) and `score` (of the costly
            reranker).
        of: number of all windows of the document.

    `Reranked.truncated` is an upper bound of the number of documents with a cut window. It is the
    number of windows that the costly reranker cut, but at most the number of judged documents.
    """

    kind = "intra_document"

    def __init__(
        self,
        config: IntraDocumentConfig,
        slow: Reranker | None = None,
        fast: WindowScorer[F] | None = None,
    ) -> None:
        """Create a reranker.

        slow: costly reranker, which scores each text independently. None: load the one that
            `config` describes.
        fast: cheap scorer, which picks the windows. None: load the one that `config` describes.
        """
        self._config = config
        if slow is None:
            with within("slow"):
                slow = config.slow.load()
        self._slow = slow
        weights: Sequence[float] | None = None
        if fast is None:
            fast, weights = _load(config)
        self._fast = fast
        given = config.weights or weights or (1.0,) * config.best
        self._weights = np.array(given, np.float64)
        self._memory: Memory[_PreparedDocument[F]] = Memory(config.memory, _size_in_bytes)
        self._waiting = Waiting()

    @property
    def needs(self) -> Needs:
        return self._slow.needs

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        budget = budget or Budget()
        meter = Meter(budget)
        until = None
        if budget.milliseconds is not None:
            until = meter.began + PREPARING_SHARE * budget.milliseconds / 1e3
        runs: list[_TaskState[F]] = []
        for task in tasks:
            total = len(task.candidates)
            judged = total if budget.candidates is None else min(total, budget.candidates)
            runs.append(_TaskState(task, judged))
        self._prepare_all(runs, until)
        for run in runs:
            self._pick(run, meter.deadline)
        left = meter.left().model_copy(update={"candidates": None})
        slow_tasks = [replace(run.task, candidates=self._window_candidates(run)) for run in runs]
        results = self._slow.rerank(slow_tasks, left)
        seconds = perf_counter() - meter.began
        return [
            self._result(run, result, seconds) for run, result in zip(runs, results, strict=True)
        ]

    def prepare(self, texts: Sequence[str]) -> None:
        """Prepare documents with these texts in advance, and cache them up to `memory` bytes."""
        for text in texts:
            self._prepared(text, None)

    def _prepare_all(self, runs: Sequence[_TaskState[F]], until: float | None) -> None:
        """Prepare the first candidate of each task, then the second of each task, and so on.

        until: time to stop, in `perf_counter()` seconds; None: no time limit.
        """
        for position in range(max((run.judged for run in runs), default=0)):
            for run in runs:
                if run.error is not None or not position < run.judged:
                    continue
                run.task.guard.check()
                text = run.task.candidates[position].body(self._config.text)
                try:
                    run.prepared.append(self._prepared(text, until))
                except Overdue as late:
                    run.warnings.extend(late.warnings)
                    return
                except Exception as error:  # noqa: BLE001 - whatever a model or tokenizer raises
                    run.error = as_twindex_error(error, FAST)

    def _prepared(self, text: str, until: float | None) -> _PreparedDocument[F]:
        """Prepare the document with this text, or return it from the cache.

        Raises Overdue if the document is not ready at the time `until` (`perf_counter()` seconds).
        """
        key = digest(text)
        known = self._memory.get(key)
        if known is not None:
            return known

        def make() -> _PreparedDocument[F]:
            windows = cut(text, self._config.size, self._config.overlap)
            made = _PreparedDocument(windows, self._fast.prepare(text, windows))
            self._memory.put(key, made)
            return made

        # If the document is not ready in time, its thread continues, and the next query finds the
        # document in the cache.
        cost = Cost(0, len(text) + FIXED_CHARACTERS)
        if not self._waiting.chunk([cost], until):
            raise Overdue
        return self._waiting.call(make, cost.tokens, until)

    def _pick(self, run: _TaskState[F], deadline: float | None) -> None:
        """Pick, in each prepared document, the windows that the cheap scorer scores best.

        The picked windows are sorted by score, best first. Windows with equal scores keep their
        order.

        deadline: time to stop, in `perf_counter()` seconds; None: no time limit.
        """
        if run.error is not None:
            return
        try:
            scores = self._fast.scores(run.task.query, [one.form for one in run.prepared], deadline)
        except Exception as error:  # noqa: BLE001
            run.error = as_twindex_error(error, FAST)
            return
        for document, values in zip(run.prepared, scores, strict=False):
            best = np.argsort(-values, kind="stable")[: self._config.windows]
            run.picked.append([_PickedWindow(document.windows[i], float(values[i])) for i in best])

    def _window_candidates(self, run: _TaskState[F]) -> list[Candidate]:
        """Return the picked windows as candidates for the costly reranker."""
        return [
            Candidate(f"{position}.{number}", text[one.window.start : one.window.end], found.title)
            for position, (found, picked) in enumerate(
                zip(run.task.candidates, run.picked, strict=False)
            )
            for text in [found.body(self._config.text)]
            for number, one in enumerate(picked)
        ]

    def _result(self, run: _TaskState[F], slow: Reranked, seconds: float) -> Reranked:
        error = run.error or slow.error
        total = len(run.task.candidates)
        found: list[Scored | None] = [None] * total
        if error is None:
            given = {one.index: window_score(one) for one in slow.order if one.judged}
            first = 0
            for position, picked in enumerate(run.picked):
                costly = [given.get(first + i) for i in range(len(picked))]
                first += len(picked)
                read = [score for score in costly if score is not None]
                if len(read) == len(picked):
                    reasons = _reasons(picked, read, len(run.prepared[position].windows))
                    found[position] = Scored(self._score(read), reasons)
        order = ranked_by_score(found)
        warnings = [*run.warnings, *slow.warnings]
        if slow.truncated:
            warnings.append(
                f"{slow.truncated} windows were cut, because they are longer than the text that "
                f"the reranker {self._slow.kind} reads; a lower `size` avoids this"
            )
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
        """Return the score of a document.

        costly: scores of its picked windows by the costly reranker.
        """
        best = np.sort(np.array(costly, np.float64))[::-1][: len(self._weights)]
        weights = self._weights[: len(best)]
        score = float(weights @ best)
        if self._config.absent == "mean":
            # The factor is equal for all documents with enough windows.
            whole = self._weights[: self._config.windows].sum()
            score *= float(whole / weights.sum())
        return score


def window_score(placed: Placed) -> float | None:
    """Return the costly reranker's score of a window: the logit, as in the paper.

    Returns `placed.score` instead if the reasons have no logit or if the reranker is calibrated.

    placed: the window in the result of the costly reranker.
    """
    if "logit" in placed.reasons and "raw" not in placed.reasons:
        return float(placed.reasons["logit"])
    return placed.score


def _load(config: IntraDocumentConfig) -> tuple[WindowScorer[Any], Sequence[float] | None]:
    """Load the cheap scorer. Return (scorer, weights); the weights are None if none were trained.

    Raises ConfigError if the folder contains no passage scorer, or if the number of trained weights
    differs from `best` of the configuration.
    """
    if config.fast == "lexical":
        return LexicalScorer(config.analyzer), None
    from .kernel_scorer import KernelScorer

    scorer = KernelScorer.load(Path(config.fast).expanduser())
    weights = scorer.options.weights
    if config.weights is None and weights is not None and len(weights) != config.best:
        raise ConfigError(
            f"must be {len(weights)}, got {config.best}, because the passage scorer has "
            f"{len(weights)} trained weights; set `best` to {len(weights)}, or set `weights`",
            field="best",
        )
    return scorer, weights


def _size_in_bytes(known: _PreparedDocument[Any]) -> int:
    """Return the estimated size of a cached document, in bytes."""
    return 120 * len(known.windows) + int(known.form.nbytes)


def _reasons(
    picked: Sequence[_PickedWindow], costly: Sequence[float], windows: int
) -> Mapping[str, Any]:
    read = sorted(zip(picked, costly, strict=True), key=lambda pair: -pair[1])
    shown = [
        {"start": one.window.start, "end": one.window.end, "fast": one.fast, "score": score}
        for one, score in read
    ]
    return {"windows": shown, "of": windows}
