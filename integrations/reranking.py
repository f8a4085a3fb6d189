"""Reranks texts with a reranker in this process, or with a reranker of a service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from ..core.errors import InvalidInputError, shown
from .steps import Call, Steps, is_async, run, run_async


@dataclass(frozen=True, slots=True)
class Scored:
    """A text with its score.

    index:  position of the text in the request, from 0.
    judged: False if a limit was reached before the reranker read the text.
    """

    index: int
    score: float
    judged: bool


@dataclass(frozen=True, slots=True)
class Reranking:
    """How texts are reranked.

    reranker:   a Reranker object in this process, or a Client or AsyncClient.
    model:      name of a reranker of the service. None for a Reranker object.
    top_n:      maximum number of texts to return; None = all.
    timeout_ms: time limit in milliseconds; None = no limit.
    calls:      maximum number of prompts or pairs that models read; None = no limit.
    tokens:     maximum number of tokens that models read and write; None = no limit.
    on_error:   "fail" raises the error of a model; "keep" keeps the order.

    Raises InvalidInputError if `reranker` has another type, or if `model` does not fit it.
    """

    reranker: Any
    model: str | None = None
    top_n: int | None = None
    timeout_ms: float | None = None
    calls: int | None = None
    tokens: int | None = None
    on_error: Literal["fail", "keep"] = "fail"

    def __post_init__(self) -> None:
        if isinstance(self.reranker, type) or not callable(getattr(self.reranker, "rerank", None)):
            raise InvalidInputError(
                "must be a Reranker object, a Client or an AsyncClient, got "
                f"{shown(self.reranker)}",
                field="reranker",
            )
        if self._local and self.model is not None:
            raise InvalidInputError(
                "only a client has rerankers by name; remove `model`, or pass a client",
                field="model",
            )
        if not self._local and self.model is None:
            raise InvalidInputError("name a reranker of the service", field="model")
        if self.top_n is not None and self.top_n < 1:
            raise InvalidInputError(f"must be at least 1, got {self.top_n}", field="top_n")
        if self.on_error not in ("fail", "keep"):
            raise InvalidInputError(
                f"must be fail or keep, got {shown(self.on_error)}", field="on_error"
            )

    @classmethod
    def of(cls, component: Any) -> Reranking:
        """Return the reranking that a component of a framework has in fields of these names."""
        return cls(**{one.name: getattr(component, one.name) for one in fields(cls)})

    @property
    def _local(self) -> bool:
        return hasattr(self.reranker, "needs")

    def run(self, query: str, texts: Sequence[Mapping[str, str]]) -> list[Scored]:
        """Return the texts' positions and scores, best first.

        texts: mappings with `text` and, optionally, `title`.

        Raises the errors of the reranker, and InvalidInputError for an AsyncClient.
        """
        if self._local:
            return self._in_process(query, texts)
        return run(self.reranker, self._steps(query, texts)) if texts else []

    async def run_async(self, query: str, texts: Sequence[Mapping[str, str]]) -> list[Scored]:
        """Return what `run` returns. A reranker that blocks runs in another thread."""
        if not texts:
            return []
        if is_async(self.reranker, "rerank"):
            return await run_async(self.reranker, self._steps(query, texts))
        return await asyncio.to_thread(self.run, query, texts)

    def _steps(self, query: str, texts: Sequence[Mapping[str, str]]) -> Steps[list[Scored]]:
        limits = {
            name: getattr(self, name)
            for name in ("top_n", "timeout_ms", "calls", "tokens")
            if getattr(self, name) is not None
        }
        options = {**limits, "on_error": self.on_error}
        found = yield Call("rerank", (self.model, query, list(texts)), options)
        return [Scored(one.index, one.score, one.judged) for one in found]

    def _in_process(self, query: str, texts: Sequence[Mapping[str, str]]) -> list[Scored]:
        from ..rerank import Budget, Candidate, rerank_one
        from ..rerank.relevance import relevance

        reranker = self.reranker
        needs = reranker.needs.stored
        if needs:
            raise InvalidInputError(
                f"reads what a collection stores for leg {', '.join(map(repr, needs))}; use this "
                "reranker in `rerank` of a search",
                field="reranker",
            )
        candidates = [
            Candidate(str(i), one["text"], one.get("title", ""), score=-float(i))
            for i, one in enumerate(texts)
        ]
        limits = {"calls": self.calls, "tokens": self.tokens, "milliseconds": self.timeout_ms}
        try:
            budget = Budget.parse(limits)
        except InvalidInputError as error:
            field = "timeout_ms" if error.field == "milliseconds" else error.field
            raise InvalidInputError(error.message, field=field) from None
        result = rerank_one(reranker, query, candidates, budget)
        if result.status == "failed" and self.on_error == "fail" and result.error is not None:
            raise result.error
        found = [
            Scored(placed.index, score, placed.judged)
            for placed, score in zip(result.order, relevance(result.order), strict=True)
        ]
        return found[: self.top_n]
