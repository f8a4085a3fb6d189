"""Rewriting in a search: a language model writes texts, which are searched besides the query.

No transaction of the collection is open while the model runs. A gate on a predictor of legs or
passages needs a search before the model runs. For this search, it opens a view and closes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Literal

import numpy as np

from ...ask import Limits
from ...core import (
    InvalidInputError,
    ModelError,
    QueryStage,
    TwindexError,
    Usage,
    add_usages,
)
from ...core.trace.spans import span
from ...generate import checking
from ...generate.rewriting import Question, Rewrites
from ...index import Handles, Store
from ...llm import Message
from ..predictors import BEFORE
from .combining import combine
from .pipeline import first_search
from .planning import EncodedPlan, check_search
from .predicting import SearchPredictors
from .results import Leg
from .rewriters import OtherQuery, Rewriting, Rewritten

NAME = "rewrite"
"""Name of the time of rewriting in `timings`, and of its warnings."""


Count = Callable[[Usage | None], None]
"""Function that receives the usage of a rewriter."""


@dataclass(slots=True)
class _Done:
    """What the step did: the plan to search, its effect, and the parts of its QueryStage."""

    encoded: EncodedPlan
    rewritten: Rewritten = field(default_factory=Rewritten)
    texts: Sequence[str] = ()
    usage: Usage | None = None
    searches: int = 0
    notes: list[str] = field(default_factory=list)


def rewrite(store: Store, encoded: Sequence[EncodedPlan], count: Count) -> list[EncodedPlan]:
    """Rewrite the queries of plans. Return the plans with the rewritten queries.

    A plan without `rewriting` is returned unchanged. For every other plan, a stage is added to
    `stages`. Queries with the same rewriter and the same limits are rewritten together.

    store: the collection, which is searched if a gate needs it.
    count: function called with the usage of the rewriter for each rewritten query.

    Raises the error of the rewriter if the request has `on_error` "fail".
    """
    found = list(encoded)
    groups: dict[tuple[str, Limits], list[int]] = {}
    for i, one in enumerate(encoded):
        if (step := one.plan.rewriting) is not None:
            groups.setdefault((step.request.model, step.request.limits), []).append(i)
    for members in groups.values():
        gates = {i: _gate(store, encoded[i]) for i in members}
        open_ = [i for i in members if not gates[i].refusal]
        for i in members:
            if gates[i].refusal:
                _add_stage(_Done(encoded[i], searches=gates[i].searches), gates[i].refusal)
        written = _written([encoded[i] for i in open_])
        for i, rewrites in zip(open_, written, strict=True):
            count(rewrites.usage)
            found[i] = _applied(encoded[i], rewrites, gates[i].searches)
    return found


@dataclass(frozen=True, slots=True)
class _Gate:
    """The state of a gate.

    refusal:  why the gate is closed; "" if it is open.
    searches: number of legs that were searched to compute the predictor.
    """

    refusal: str = ""
    searches: int = 0


def _gate(store: Store, encoded: EncodedPlan) -> _Gate:
    gate = _step(encoded).request.gate
    if gate is None:
        return _Gate()
    legs: Sequence[Leg] = ()
    numbers: Handles = np.zeros(0, dtype=np.int64)
    with store.view() as view:
        check_search(view.config, encoded.plan)
        if gate.predictor not in BEFORE:
            legs, numbers = first_search(view, encoded)
        with encoded.trace.stage(NAME):
            value = SearchPredictors(view, encoded, legs, numbers).value(gate.predictor)
    return _Gate(gate.refusal(value), len(legs))


def _written(encoded: Sequence[EncodedPlan]) -> list[Rewrites]:
    """Rewrite queries that have the same rewriter and limits. Return one result for each."""
    if not encoded:
        return []
    step, guard = _step(encoded[0]), encoded[0].trace.guard
    error = step.error
    if step.rewriter is not None:
        questions = [_question(one) for one in encoded]
        try:
            part, limits = f"rewriter {step.request.model!r}", step.request.limits
            with span("rewrite", {"twindex.part": part}):
                return checking.rewrites(step.rewriter, questions, limits, guard, part)
        except TwindexError as failure:
            guard.check()  # Raises if the caller gave up.
            error = failure
    assert error is not None, "a rewriter that was not loaded has a reason"
    return [Rewrites((), "failed", error=error) for _ in encoded]


def _question(encoded: EncodedPlan) -> Question:
    query, turns = encoded.plan.request.query, _step(encoded).request.turns
    assert query is not None, "checked by SearchRequest"
    return Question(query, [Message(turn.role, turn.content) for turn in turns])


def _applied(encoded: EncodedPlan, rewrites: Rewrites, searches: int) -> EncodedPlan:
    """Return the plan with the written texts and with the stage of the rewriting.

    rewrites: what the rewriter wrote for the plan's query.
    searches: number of legs that were searched for the gate.
    """
    began = perf_counter()
    error, done = rewrites.error, _Done(encoded)
    if rewrites.status == "failed":
        error = error or ModelError("the rewriter failed")
    elif rewrites.texts:
        encoded.trace.guard.check()
        try:
            done = _used(encoded, [one.text for one in rewrites.texts])
        except (ModelError, InvalidInputError) as failure:  # An encoder cannot read the texts.
            error = failure
    if error is not None and _step(encoded).request.on_error == "fail":
        raise error
    reason, warnings = _reason(rewrites, error), list(rewrites.warnings)
    failed = error is not None or (rewrites.status == "partial" and not done.texts)
    if failed:
        warnings.append(f"{reason}; the query was searched as it is")
    elif rewrites.status == "partial":
        warnings.append(f"a limit was reached after {len(done.texts)} of the texts")
    usage = add_usages(rewrites.usage, done.usage)
    spent = rewrites.seconds * 1e3 + (perf_counter() - began) * 1e3
    encoded.trace.timings[NAME] = encoded.trace.timings.get(NAME, 0.0) + spent
    done.usage, done.searches = usage, done.searches + searches
    _add_stage(done, "" if done.texts else reason, spent, failed=failed)
    rewritten = replace(done.rewritten, usage=usage, warnings=warnings)
    return replace(done.encoded, rewritten=rewritten)


def _reason(rewrites: Rewrites, error: TwindexError | None) -> str:
    """Return why nothing was rewritten."""
    if error is not None:
        return str(error)
    if rewrites.status == "partial":
        return "a limit (timeout_ms, calls or tokens) was reached before a text was written"
    return (
        rewrites.reason
        or "; ".join(rewrites.warnings)
        or "the model wrote nothing that the query does not say"
    )


def _used(encoded: EncodedPlan, texts: Sequence[str]) -> _Done:
    """Encode the texts for the legs, as the rewriter's `Use` says."""
    plan, use = encoded.plan, _step(encoded).use
    names = [leg.name for leg in plan.legs]
    if use.how in ("mean", "append"):
        queries = dict(zip(names, encoded.query.legs, strict=False))
        made = combine(encoded.encoder.config, encoded.encoder, plan.request, queries, texts, use)
        return _Done(encoded, Rewritten(queries=made.queries), texts, made.usage, notes=made.notes)
    done = _Done(encoded, texts=texts)
    if use.how == "replace":
        texts = done.texts = texts[:1]
        return _replaced(encoded, texts[0], use.weight, done)
    read = [name for name in names if encoded.encoder.config.legs[name].encoder.encodes_text]
    encoded.encoder.prepare(dict.fromkeys(read, texts))
    others = []
    for text in texts:
        request = plan.request.model_copy(update={"query": text, "vectors": {}})
        query = encoded.encoder.encode(read, request, encoded.trace.guard)
        others.append(OtherQuery(dict(zip(read, query.legs, strict=True)), use.weight))
        done.usage = add_usages(done.usage, query.usage)
        done.notes += query.warnings
    return _with_others(done, Rewritten(others=others))


def _replaced(encoded: EncodedPlan, text: str, weight: float, done: _Done) -> _Done:
    """Replace the query of a plan by a text.

    weight: weight of the original query's list in the fusion; 0: the original is not searched.
    """
    request = encoded.plan.request.model_copy(update={"query": text})
    plan = replace(encoded.plan, request=request)
    query = encoded.encoder.encode(plan.encoded_legs, request, encoded.trace.guard)
    original = {
        leg.name: row
        for leg, row in zip(plan.legs, encoded.query.legs, strict=False)
        if leg.name not in request.vectors
    }
    done.encoded = replace(encoded, plan=plan, query=query)
    done.usage = query.usage
    others = [OtherQuery(original, weight)] if weight > 0 and original else []
    return _with_others(done, Rewritten(others=others))


def _with_others(done: _Done, rewritten: Rewritten) -> _Done:
    done.rewritten = rewritten
    searched = [list(other.queries) for other in rewritten.others]
    done.searches = sum(map(len, searched))
    done.notes.insert(0, f"{done.searches} searches of legs more than for the query alone")
    return done


def _add_stage(done: _Done, reason: str, spent: float = 0.0, *, failed: bool = False) -> None:
    status: Literal["ran", "skipped", "failed"] = (
        "ran" if not reason else "failed" if failed else "skipped"
    )
    done.encoded.stages.append(
        QueryStage(
            _step(done.encoded).request.model,
            status,
            queries=list(done.texts),
            usage=done.usage,
            milliseconds=spent,
            reason=reason,
            notes=done.notes,
            searches=done.searches,
        )
    )


def _step(encoded: EncodedPlan) -> Rewriting:
    step = encoded.plan.rewriting
    assert step is not None, "the request has `rewrite`"
    return step
