"""Reranks the fused lists of hits. No transaction of the collection is open during reranking."""

from __future__ import annotations

from collections.abc import Sequence

from ...core import (
    HitRerank,
    ModelError,
    RerankReport,
    RerankStage,
)
from ...rerank import Budget, Placed, Reranked, Task, failed
from ...rerank.checking import reranked
from .results import FusedResults, Reordered


def rerank(fused: Sequence[FusedResults]) -> list[Reranked | None]:
    """Rerank several searches. Return one result for each; None for a request without `rerank`.

    Searches with the same reranker and the same limits are reranked together, in one call.
    """
    groups: dict[tuple[str, Budget], list[int]] = {}
    for i, one in enumerate(fused):
        if (step := one.encoded.plan.rerank) is not None:
            groups.setdefault((step.request.model, step.request.budget), []).append(i)
    results: list[Reranked | None] = [None] * len(fused)
    for members in groups.values():
        for i, result in zip(members, _rerank_group([fused[i] for i in members]), strict=True):
            results[i] = result
    return results


def _rerank_group(fused: Sequence[FusedResults]) -> list[Reranked]:
    """Rerank searches that have the same reranker and the same limits."""
    steps = [one.encoded.plan.rerank for one in fused]
    first = steps[0]
    assert first is not None
    tasks = [_task(one) for one in fused]
    if first.reranker is not None:
        part = f"reranker {first.request.model!r}"
        return reranked(first.reranker, tasks, first.request.budget, part)
    assert first.error is not None, "a reranker that was not loaded has a reason"
    return [failed(len(task.candidates), first.error) for task in tasks]


def _task(fused: FusedResults) -> Task:
    query, candidates = fused.encoded.plan.request.query, fused.candidates
    assert query is not None, "checked by SearchRequest"
    assert candidates is not None, "the request has `rerank`"
    return Task(query, candidates, fused.encoded.trace.guard)


def reorder(fused: FusedResults, result: Reranked | None) -> Reordered | None:
    """Return the hits of a search in the order of the reranker's result; None if `result` is None.

    If the reranker failed and the request has `on_error` "fail", raises the reranker's error.
    """
    if result is None:
        return None
    step = fused.encoded.plan.rerank
    assert step is not None
    if result.status == "failed" and step.request.on_error == "fail":
        raise result.error or ModelError("the reranker failed")
    fused.encoded.trace.timings["rerank"] += result.seconds * 1e3
    total, received = len(fused.numbers), len(result.order)
    warnings = rerank_warnings(result)
    order = list(result.order)
    positions = [*(placed.index for placed in order), *range(received, total)]
    complete = True
    least = step.request.min_score
    if least is not None and result.status != "failed":
        if any(placed.judged for placed in order) and all(placed.score is None for placed in order):
            warnings.append(
                f"reranker {step.request.model} returns no scores, so min_score was ignored"
            )
        else:
            # A hit that only an earlier stage of a chain judged has `judged`, but no score.
            complete = received == total and all(p.score is not None for p in order if p.judged)
            order = _with_min_score(result, least)
            positions = [placed.index for placed in order]
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
        step.request.model,
        result.status,
        received,
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
    return Reordered(positions, hits, report, complete)


def _with_min_score(result: Reranked, least: float) -> list[Placed]:
    """Return the hits with a rerank score of at least `least`, and the hits that were not judged.

    A hit is not judged if a limit was reached before its turn. In a chain, only the last stage that
    received the hit counts.
    """
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


def rerank_warnings(result: Reranked) -> list[str]:
    """Return the reranker's warnings, preceded by one about a "failed" or "partial" status."""
    warnings = list(result.warnings)
    if result.status == "failed":
        before = [name for name, stage in result.stages if stage.status != "failed"]
        order = f"are in the order of {before[-1]}" if before else "keep their original order"
        warnings.insert(0, f"failed, the hits {order}: {result.error}")
    elif result.status == "partial":
        # Of a chain, name the partial stages: other stages may have judged the other hits.
        partial = [(f"{name}: ", s) for name, s in result.stages if s.status == "partial"]
        warnings[:0] = [
            f"partial, {name}{_judged(one)} of {len(one.order)} hits were judged and the others "
            "keep their order"
            for name, one in partial or [("", result)]
        ]
    return warnings
