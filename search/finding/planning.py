"""What a request means for a collection: which legs run, with what, and what reranks them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...core import (
    UNGUARDED,
    ConfigError,
    Guard,
    InvalidInputError,
    MissingExtraError,
    ModelError,
    Trace,
    TwindexError,
    UnsupportedByStoreError,
)
from ...core.errors import shown
from ...core.filters import Condition, parse_filter
from ...index import CollectionConfig, DenseLeg, Store, VectorSearch, require
from ...rerank import Needs, Reranker
from ..encoding.queries import EncodedQuery, QueryEncoder
from ..request import LegRequest, RerankRequest, SearchRequest
from ..rerankers import FIELD, RerankerRegistry


@dataclass(frozen=True, slots=True)
class Reranking:
    """The reranking of a request.

    reranker: None where it could not be loaded, for which `error` is the reason.
    """

    request: RerankRequest
    reranker: Reranker | None
    needs: Needs
    top_n: int
    error: TwindexError | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that can run.

    where: its filter. extra: legs that do not run, whose scores its reranker reads.
    """

    request: SearchRequest
    legs: Sequence[LegRequest]
    where: Condition | None
    rerank: Reranking | None
    extra: Sequence[str]

    @property
    def encoded(self) -> list[str]:
        """The legs that the query is encoded for."""
        return [*(leg.name for leg in self.legs), *self.extra]


@dataclass(frozen=True, slots=True)
class Asked:
    """A plan and its query, encoded for `plan.encoded`, with the timings so far."""

    plan: Plan
    query: EncodedQuery
    trace: Trace


def plan(store: Store, request: SearchRequest, rerankers: RerankerRegistry) -> Plan:
    """What a request means. Raises InvalidInputError for one that cannot run, and
    UnsupportedByStoreError for one that the store cannot do.

    Not for parameters that the index of a dense leg does not have: see `check_search`.
    """
    config = store.config
    if request.explain:
        require(store, "explain")
    legs = _legs(config, request)
    where = parse_filter(request.filter)
    if request.rerank is None:
        return Plan(request, legs, where, None, ())
    rerank = _reranking(config, request.rerank, rerankers)
    if rerank.needs.vectors:
        require(store, "vectors", FIELD)
    running = {leg.name for leg in legs}
    return Plan(request, legs, where, rerank, sorted(rerank.needs.legs - running))


def ask(plan: Plan, queries: QueryEncoder, guard: Guard = UNGUARDED) -> Asked:
    """Encode the query.

    Apart from the search, for a model may take seconds, in which no state should be held on to.
    """
    trace = Trace(guard)
    with trace.stage("encode"):
        encoded = queries.encode(plan.encoded, plan.request)
    return Asked(plan, encoded, trace)


def check_search(config: CollectionConfig, plan: Plan) -> None:
    """Raise InvalidInputError for parameters that the index of a dense leg does not have, and for a
    leg whose stored configuration lies beyond today's bounds.

    `config` is that of the state to be searched: unlike which legs there are, how they are stored
    may change while a collection is open.
    """
    for name in plan.encoded:
        _check_stored(config, name)
    for i, leg in enumerate(plan.legs):
        stored = config.legs[leg.name]
        search = vector_search(plan.request, leg)
        if search is None or not isinstance(stored, DenseLeg):
            continue
        storage = stored.storage
        unknown = [name for name in search.parameters if name not in storage.parameters]
        if unknown:
            able = " and ".join(storage.parameters)
            raise InvalidInputError(
                f"means nothing to leg {leg.name!r}, whose index is {storage.index.kind}: "
                + (f"it takes recall, or {able}" if able else "it compares every vector"),
                field=f"{'search' if leg.search is None else f'legs[{i}].search'}.{unknown[0]}",
            )


def _check_stored(config: CollectionConfig, name: str) -> None:
    try:
        config.legs[name].check_stored()
    except ConfigError as error:
        raise ConfigError(
            f"leg {name!r} cannot be searched: in its stored configuration, {error.field} "
            f"{error.message}; store it anew, for example: twindex reconfigure COLLECTION "
            f"--leg {name} --recall 0.98",
            field=f"legs.{name}.{error.field}",
        ) from None


def vector_search(request: SearchRequest, leg: LegRequest) -> VectorSearch | None:
    """How far a dense leg looks; None = as configured."""
    search = request.search if leg.search is None else leg.search
    return search if search is not None and search.model_fields_set else None


def _legs(config: CollectionConfig, request: SearchRequest) -> list[LegRequest]:
    legs = list(request.legs)
    if not legs:
        names = list(request.vectors)
        if request.query is not None:
            names = [name for name, leg in config.legs.items() if leg.role == "search"]
        for name in names:
            if name not in config.legs:
                raise InvalidInputError(_no_leg(config, name), field=f"vectors.{name}")
        legs = [LegRequest(name=name) for name in names]
    for i, leg in enumerate(legs):
        if leg.name not in config.legs:
            raise InvalidInputError(_no_leg(config, leg.name), field=f"legs[{i}].name")
        if request.query is None and leg.name not in request.vectors:
            raise InvalidInputError(
                f"leg {leg.name!r} has neither a text (`query`) nor a vector to search with",
                field=f"legs[{i}].name",
            )
    unused = [name for name in request.vectors if name not in {leg.name for leg in legs}]
    if unused:
        raise InvalidInputError("this leg does not run", field=f"vectors.{unused[0]}")
    if not any(leg.weight > 0 for leg in legs):
        raise InvalidInputError("at least one leg needs a weight above 0", field="legs")
    dense = {leg.name for leg in legs if isinstance(config.legs[leg.name], DenseLeg)}
    for i, leg in enumerate(legs):
        if leg.search is not None and leg.name not in dense:
            raise InvalidInputError(
                f"leg {leg.name!r} is {config.legs[leg.name].kind} and searched exactly: "
                "only a dense leg takes it",
                field=f"legs[{i}].search",
            )
    if request.search is not None and not dense:
        raise InvalidInputError("no dense leg runs, and no other takes it", field="search")
    return legs


def _no_leg(config: CollectionConfig, name: str) -> str:
    return f"there is no leg {shown(name)}; this collection has {', '.join(config.legs)}"


def _reranking(
    config: CollectionConfig, request: RerankRequest, rerankers: RerankerRegistry
) -> Reranking:
    top_n = request.top_n or rerankers.config(request.model).candidates
    try:
        reranker = rerankers.get(request.model)
    except (ModelError, MissingExtraError) as error:
        if request.on_error == "fail":
            raise
        return Reranking(request, None, Needs(), top_n, error)
    needs = reranker.needs
    for leg in sorted(needs.legs | ({needs.vectors} if needs.vectors else set())):
        if leg not in config.legs:
            raise InvalidInputError(
                f"{request.model!r} reads leg {leg!r}, which this collection does not have; it has "
                f"{', '.join(config.legs)}",
                field=FIELD,
            )
    if needs.vectors:
        leg_config = config.legs[needs.vectors]
        if not isinstance(leg_config, DenseLeg) or leg_config.multi:
            raise InvalidInputError(
                f"{request.model!r} reads the vectors of leg {needs.vectors!r}, which is not a "
                "dense leg with one vector for each text",
                field=FIELD,
            )
    return Reranking(request, reranker, needs, top_n)


@contextmanager
def request_named(i: int) -> Iterator[None]:
    """Let an error about one of several requests say which."""
    try:
        yield
    except InvalidInputError as error:
        field = f"requests[{i}]" + (f".{error.field}" if error.field else "")
        unsupported = isinstance(error, UnsupportedByStoreError)
        kind = UnsupportedByStoreError if unsupported else InvalidInputError
        raise kind(error.message, field=field) from None
