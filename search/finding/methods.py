"""Searches of a collection: plan, encode, search one state of the collection, rerank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ...core import UNGUARDED, Guard, InvalidInputError, SearchResult, Usage
from ...core.arguments import checked
from ...index import AsOf, Store, View, view_at
from .. import parameters
from ..encoding.courtesy import COURTESY
from ..encoding.leg_encoders import LegEncoders
from ..encoding.queries import QueryEncoder
from ..encoding.usage import SpentUsage
from ..request import SearchRequest
from .pipeline import make_result, search_view
from .planning import EncodedPlan, Plan, check_search, encode_plan, naming_request, plan
from .rerankers import RerankerRegistry
from .reranking import reorder, rerank
from .results import FusedResults
from .rewriters import RewriterRegistry
from .rewriting import rewrite


class SearchMethods:
    """The methods of a collection that search it."""

    store: Store
    rerankers: RerankerRegistry
    rewriters: RewriterRegistry
    _encoders: LegEncoders
    _queries: QueryEncoder
    _spent: SpentUsage

    def search(
        self,
        request: SearchRequest | Mapping[str, Any] | str | None = None,
        *,
        guard: Guard = UNGUARDED,
        **fields: Any,
    ) -> SearchResult:
        """Search the collection and return a page of hits.

        request: a SearchRequest, a mapping with its fields, or the query text. None: the search has
            no text, such as `search(vectors={"dense": vector})`.
        fields: other fields of the request, not allowed with a SearchRequest or a mapping. The
            search request is then `SearchRequest(query=request, **fields)`.
        guard: limits of the caller. The search ends if `guard.check` raises an exception.

        Raises TimeLimitError if the search takes longer than its `timeout_ms`.
        """
        parameters.guard(guard, "guard")
        with COURTESY.searching():
            return self._found(parameters.request(request, fields), guard)[1]

    def _found(self, request: SearchRequest, guard: Guard) -> tuple[FusedResults, SearchResult]:
        """Run a search. Return its fused list and its result."""
        guard = guard.within(request.timeout_ms)
        self._load_fingerprints()
        planned = plan(self.store, request, self.rerankers, self.rewriters)
        (encoded,) = self._rewritten([encode_plan(planned, self._queries, guard)])
        with view_at(self.store, request.as_of) as view:
            check_search(view.config, encoded.plan)
            fused = search_view(view, encoded)
        return fused, self._results([fused])[0]

    @checked(requests=parameters.requests, guard=parameters.guard)
    def search_batch(
        self,
        requests: Sequence[SearchRequest | Mapping[str, Any] | str],
        *,
        guard: Guard = UNGUARDED,
    ) -> list[SearchResult]:
        """Run several searches on one snapshot of the collection. Return one result for each.

        Each request is a SearchRequest, a mapping with its fields, or a query text. Queries are
        encoded together. Searches with the same reranker and the same limits (time, calls, tokens)
        are reranked together, and share one time limit. In the same way, searches with the same
        rewriter and the same limits are rewritten together.

        Raises InvalidInputError for an invalid request. The `field` of the error starts with the
        position of the request, for example `requests[2].legs[0].name`. Raises TimeLimitError if
        a search is not finished within its `timeout_ms`, which begins with the batch.
        """
        with COURTESY.searching():
            return self._found_batch(requests, guard)

    def _found_batch(
        self, requests: Sequence[SearchRequest | Mapping[str, Any] | str], guard: Guard
    ) -> list[SearchResult]:
        """Run the searches of `search_batch`."""
        self._load_fingerprints()
        plans: list[Plan] = []
        guards: list[Guard] = []
        texts: dict[str, list[str]] = {}
        for i, given in enumerate(requests):
            with naming_request(i):
                request = parameters.request(given, {})
                guards.append(guard.within(request.timeout_ms))
                plans.append(plan(self.store, request, self.rerankers, self.rewriters))
            planned = plans[-1].request  # Without the filters in its query, if they are read.
            for leg in plans[-1].encoded_legs:
                if planned.query is not None and leg not in planned.vectors:
                    texts.setdefault(leg, []).append(planned.query)
        guard.check()
        self._queries.prepare(texts)
        encoded: list[EncodedPlan] = []
        for i, one in enumerate(plans):
            with naming_request(i):
                encoded.append(encode_plan(one, self._queries, guards[i]))
        encoded = self._rewritten(encoded)
        with self.store.view() as view, ExitStack() as stack:
            views: dict[AsOf | None, View] = {None: view}
            for i, rewritten in enumerate(encoded):
                with naming_request(i):
                    check_search(view.config, rewritten.plan)
                    as_of = rewritten.plan.request.as_of
                    if as_of not in views:
                        views[as_of] = stack.enter_context(view_at(self.store, as_of))
            fused = [search_view(views[one.plan.request.as_of], one) for one in encoded]
        return self._results(fused)

    def _rewritten(self, encoded: Sequence[EncodedPlan]) -> list[EncodedPlan]:
        """Rewrite the queries of the searches whose request has `rewrite`."""
        if all(one.plan.rewriting is None for one in encoded):
            return list(encoded)
        return rewrite(self.store, encoded, self._count)

    def _results(self, fused: Sequence[FusedResults]) -> list[SearchResult]:
        """Rerank the searches whose request has `rerank`. Return a result for every search."""
        results = rerank(fused)
        for result in results:
            if result is not None:
                self._count(result.usage)
        return [
            make_result(self._queries, one, reorder(one, result))
            for one, result in zip(fused, results, strict=True)
        ]

    def _load_fingerprints(self) -> None:
        """Read the legs' encoder fingerprints from the store, unless all were read already."""
        if not self._encoders.complete:
            self._encoders.set_stored_fingerprints(self.store.fingerprints())

    def add_usage(self, usage: Usage | None) -> None:
        """Count usage of a model of the collection outside the collection's own methods.

        Such usage is that of an encoder which `encoder` returned.

        Raises InvalidInputError if `usage` is not a Usage.
        """
        if usage is not None and not isinstance(usage, Usage):
            raise InvalidInputError(
                f"must be a Usage or None, got {type(usage).__name__}", field="usage"
            )
        self._count(usage)

    def _count(self, usage: Usage | None) -> None:
        self._spent.add(usage)
