"""From the fused lists of searches to their order after reranking. Holds no transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...core import (
    HitRerank,
    InvalidInputError,
    ModelError,
    RerankReport,
    RerankStage,
    TwindexError,
)
from ...rerank import Budget, Placed, Reranked, Task, failed
from .found import Found, Reordered

log = logging.getLogger(__name__)


def rerank(found: Sequence[Found]) -> list[Reranked | None]:
    """What reranking each search gave; None where none was asked for.

    Searches with the same reranker and budget are handed over together.
    """
    groups: dict[tuple[str, Budget], list[int]] = {}
    for i, one in enumerate(found):
        if (asked := one.asked.plan.rerank) is not None:
            groups.setdefault((asked.request.model, asked.request.budget), []).append(i)
    results: list[Reranked | None] = [None] * len(found)
    for members in groups.values():
        for i, result in zip(members, _ask([found[i] for i in members]), strict=True):
            results[i] = result
    return results


def _ask(found: Sequence[Found]) -> list[Reranked]:
    """Searches that ask the same."""
    asked = [one.asked.plan.rerank for one in found]
    first = asked[0]
    assert first is not None
    tasks = [_task(one) for one in found]
    error = first.error
    if first.reranker is not None:
        try:
            return first.reranker.rerank(tasks, first.request.budget)
        except InvalidInputError:  # Not the model is at fault, but what it was given.
            raise
        except Exception as failure:
            found[0].asked.trace.guard.check()  # Nobody waits for the result any more.
            log.exception("reranker %s failed", first.request.model)
            error = (
                failure
                if isinstance(failure, TwindexError)
                else ModelError(f"the reranker failed: {type(failure).__name__}: {failure}")
            )
    assert error is not None, "a reranker that was not loaded has a reason"
    return [failed(len(task.candidates), error) for task in tasks]


def _task(found: Found) -> Task:
    query, candidates = found.asked.plan.request.query, found.candidates
    assert query is not None, "checked by the request"
    assert candidates is not None, "the request asks for reranking"
    return Task(query, candidates, found.asked.trace.guard)


def reorder(found: Found, result: Reranked | None) -> Reordered | None:
    """The new order that a result means. Raises the error of a model that failed, where the request
    says so (`on_error`)."""
    if result is None:
        return None
    asked = found.asked.plan.rerank
    assert asked is not None
    if result.status == "failed" and asked.request.on_error == "fail":
        raise result.error or ModelError("the reranker failed")
    found.asked.trace.timings["rerank"] += result.seconds * 1e3
    total, handed = len(found.numbers), len(result.order)
    warnings = told(result)
    order = list(result.order)
    places = [*(placed.index for placed in order), *range(handed, total)]
    complete = True
    least = asked.request.min_score
    if least is not None and result.status != "failed":
        if any(placed.judged for placed in order) and all(placed.score is None for placed in order):
            warnings.append(
                f"reranker {asked.request.model} gives no scores: min_score left nothing out"
            )
        else:
            # Judged, but not by what gave the scores: the stages of a chain before its last.
            complete = handed == total and all(p.score is not None for p in order if p.judged)
            order = _reaching(result, least)
            places = [placed.index for placed in order]
    hits = [
        HitRerank(
            rank,
            placed.index + 1,
            None if placed.score is None else float(placed.score),
            placed.reasons,
            placed.judged,
        )
        for rank, placed in enumerate(order, 1)
    ]
    report = RerankReport(
        asked.request.model,
        result.status,
        handed,
        _judged(result),
        result.usage,
        result.seconds,
        result.truncated,
        tuple(warnings),
        [
            RerankStage(
                name,
                stage.status,
                len(stage.order),
                _judged(stage),
                stage.usage,
                stage.seconds,
            )
            for name, stage in result.stages
        ],
    )
    return Reordered(places, hits, report, complete)


def _reaching(result: Reranked, least: float) -> list[Placed]:
    """Those with so high a score, and those without one that the reranker (of a chain, the last)
    was handed but did not judge."""
    last = result.stages[-1][1].order if result.stages else ()
    judged = [*(placed.judged for placed in last)]
    judged += [placed.judged for placed in result.order[len(last) :]]
    return [
        placed
        for placed, seen in zip(result.order, judged, strict=True)
        if (not seen if placed.score is None else placed.score >= least)
    ]


def _judged(result: Reranked) -> int:
    return sum(placed.judged for placed in result.order)


def told(result: Reranked) -> list[str]:
    """In words, what a caller should know of a reranking."""
    warnings = list(result.warnings)
    if result.status == "failed":
        before = [name for name, stage in result.stages if stage.status != "failed"]
        order = f"in the order of {before[-1]}" if before else "in the order that they had"
        warnings.insert(0, f"failed, the hits are {order}: {result.error}")
    elif result.status == "partial":
        # Of a chain, the stages that were: others may have judged all that these did not reach.
        partial = [(f"{name}: ", s) for name, s in result.stages if s.status == "partial"]
        warnings[:0] = [
            f"partial, {name}{_judged(one)} of {len(one.order)} hits were judged and the others "
            "keep their order"
            for name, one in partial or [("", result)]
        ]
    return warnings
