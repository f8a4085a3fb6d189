"""Validates a request against a collection: its legs, filter, parameters and reranker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...ask.faults import faults_named
from ...core import (
    UNGUARDED,
    ConfigError,
    Guard,
    InvalidInputError,
    MissingExtraError,
    ModelError,
    QueryStage,
    Representation,
    Trace,
    TwindexError,
    UnsupportedByStoreError,
)
from ...core.errors import shown
from ...core.filters import Condition, parse_filter
from ...core.near import did_you_mean
from ...encoders import detects_languages
from ...index import CollectionConfig, DenseLeg, Store, VectorSearch, require
from ...rerank import Needs, Reranker
from ..encoding.queries import EncodedQuery, QueryEncoder, no_text
from ..request import LegRequest, SearchRequest
from ..stages import RerankRequest
from .reading import ReadQuery, read_query
from .related.checking import check_liked_leg, liked_legs, require_liked, without_liked
from .rerankers import FIELD, RerankerRegistry
from .rewriters import RewriterRegistry, Rewriting, Rewritten, plan_rewriting
from .stages import check_stages


@dataclass(frozen=True, slots=True)
class Reranking:
    """The reranking step of a search.

    request:  the field `rerank` of the search request.
    reranker: the loaded reranker; None if loading failed.
    needs:    stored scores and vectors that the reranker reads.
    top_n:    number of best hits to rerank.
    error:    the error of loading the reranker; None if it was loaded.
    """

    request: RerankRequest
    reranker: Reranker | None
    needs: Needs
    top_n: int
    error: TwindexError | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A validated search request.

    legs:   the legs to search.
    where:  the parsed filter; None if the request has no filter.
    rerank: the reranking step; None if the request has no `rerank`.
    extra:  names of legs that are not searched, but whose scores the reranker reads.
    warnings: a message for each leg that is not searched because it encodes no text.
    capabilities: optional features that the store supports.
    read: what was read from the query text; None if the request has no `parse_filters`. `request`
        and `where` contain it already.
    rewriting: the rewriting step; None if the request has no `rewrite`.
    """

    request: SearchRequest
    legs: Sequence[LegRequest]
    where: Condition | None
    rerank: Reranking | None
    extra: Sequence[str]
    warnings: Sequence[str] = ()
    capabilities: frozenset[str] = frozenset()
    read: ReadQuery | None = None
    rewriting: Rewriting | None = None

    @property
    def encoded_legs(self) -> list[str]:
        """Return the names of the legs for which the query must be encoded."""
        return [*(leg.name for leg in self.legs), *self.extra]


@dataclass(frozen=True, slots=True)
class EncodedPlan:
    """A plan with its encoded query.

    query: the query, encoded for each leg of `plan.encoded_legs`.
    trace: timings of the steps of this search so far, and the caller's guard.
    encoder: encodes the queries and passages of the collection.
    stages: steps that may have changed the query, in order. Each step appends a stage.
    rewritten: what is searched besides, or in place of, `query`.
    """

    plan: Plan
    query: EncodedQuery
    trace: Trace
    encoder: QueryEncoder
    stages: list[QueryStage] = field(default_factory=list)
    rewritten: Rewritten = field(default_factory=Rewritten)

    @property
    def searched(self) -> list[Representation]:
        """Return the query that each leg of the plan searches, in the order of `plan.legs`."""
        pairs = zip(self.plan.legs, self.query.legs, strict=False)  # `query` also has extra legs.
        return [self.rewritten.queries.get(leg.name, own) for leg, own in pairs]


def plan(
    store: Store,
    request: SearchRequest,
    rerankers: RerankerRegistry,
    rewriters: RewriterRegistry,
) -> Plan:
    """Check a request against the collection, and return the plan of the search.

    Raises InvalidInputError for an invalid request, and UnsupportedByStoreError if the store lacks
    a capability that the request needs. `check_search` checks the search parameters of dense legs.
    """
    config = store.config
    if request.explain:
        require(store, "explain")
    if request.suggest:
        require(store, "vocabulary", "suggest")
    read = read_query(store, request)
    if read is not None:
        request = read.request
    legs, warnings = _legs(config, request)
    _check_language(config, request, legs)
    where = parse_filter(request.filter)
    if request.like is not None:
        require_liked(store, legs)
        where = without_liked(where, request.like)
    capabilities = store.capabilities
    check_stages(config, request, legs, capabilities)
    rewriting = None if request.rewrite is None else plan_rewriting(request.rewrite, rewriters)
    if request.rerank is None:
        return Plan(request, legs, where, None, (), warnings, capabilities, read, rewriting)
    rerank = _reranking(config, request.rerank, rerankers)
    if rerank.needs.vectors:
        require(store, "vectors", FIELD)
    running = {leg.name for leg in legs}
    extra = sorted(rerank.needs.legs - running)
    return Plan(request, legs, where, rerank, extra, warnings, capabilities, read, rewriting)


def encode_plan(plan: Plan, queries: QueryEncoder, guard: Guard = UNGUARDED) -> EncodedPlan:
    """Encode the query of a plan for each leg.

    guard: limits of the caller; see `Guard`.

    Call this function before you open a view of the collection, because a model may take seconds.
    The timings have a separate entry `load` if encoders had to be loaded.
    """
    trace = Trace(guard)
    vectors = plan.request.vectors
    unloaded = queries.unloaded([leg for leg in plan.encoded_legs if leg not in vectors])
    if plan.request.like is not None:
        unloaded = []
    if unloaded:
        with trace.stage("load"):
            queries.load(unloaded)
    if plan.request.like is not None:  # Its queries are made of stored documents.
        return EncodedPlan(plan, EncodedQuery([], {}, None, []), trace, queries)
    with trace.stage("encode"):
        encoded = queries.encode(plan.encoded_legs, plan.request, guard)
    return EncodedPlan(plan, encoded, trace, queries)


def check_search(config: CollectionConfig, plan: Plan) -> None:
    """Check the search parameters of a plan against the stored configuration of its legs.

    config: the configuration of the view to be searched. It may differ from the one that the plan
        was made with, because `reconfigure` may change how a leg's vectors are stored. The list of
        legs never changes.

    Raises InvalidInputError for a parameter that the index of a dense leg does not support. Raises
    ConfigError for a leg whose stored configuration has a value outside the bounds of this version.
    """
    for name in plan.encoded_legs:
        _check_stored(config, name)
    for i, leg in enumerate(plan.legs):
        stored = config.legs[leg.name]
        search = vector_search(plan.request, leg)
        if search is None or not isinstance(stored, DenseLeg):
            continue
        storage = stored.storage
        unknown = [name for name in search.parameters if name not in storage.parameters]
        if unknown:
            supported = " and ".join(f"`{name}`" for name in storage.parameters)
            raise InvalidInputError(
                f"leg {leg.name!r} (index: {storage.index.kind}) does not support `{unknown[0]}`; "
                + (
                    f"use `recall`, or {supported}"
                    if supported
                    else "remove it, because this index compares every vector"
                ),
                field=f"{'search' if leg.search is None else f'legs[{i}].search'}.{unknown[0]}",
            )


def _check_stored(config: CollectionConfig, name: str) -> None:
    try:
        config.legs[name].check_stored()
    except ConfigError as error:
        raise ConfigError(
            f"leg {name!r} cannot be searched, because in its stored configuration {error.field} "
            f"{error.message}; change the configuration, for example with `twindex reconfigure "
            f"COLLECTION --leg {name} --recall 0.98`",
            field=f"legs.{name}.{error.field}",
        ) from None


def vector_search(request: SearchRequest, leg: LegRequest) -> VectorSearch | None:
    """Return the search effort that a request sets for a leg; None if the request sets none."""
    search = request.search if leg.search is None else leg.search
    return search if search is not None and search.model_fields_set else None


def _legs(config: CollectionConfig, request: SearchRequest) -> tuple[list[LegRequest], list[str]]:
    """Return the legs to search, and a warning for each leg left out because it has no vector."""
    legs, warnings = list(request.legs), []
    if not request.has_query:
        return [], []
    if not legs:
        names = list(request.vectors)
        if request.like is not None:
            names = liked_legs(config)
        elif request.query is not None:
            names = [name for name, leg in config.legs.items() if leg.role == "search"]
            mute = [
                name
                for name in names
                if name not in request.vectors and not config.legs[name].encoder.encodes_text
            ]
            if len(mute) == len(names):
                raise InvalidInputError(no_text(mute[0]), field=f"vectors.{mute[0]}")
            names = [name for name in names if name not in mute]
            warnings = [f"leg {name} did not run: {no_text(name)}" for name in mute]
        for name in names:
            if name not in config.legs:
                raise InvalidInputError(_no_leg(config, name), field=f"vectors.{name}")
        legs = [LegRequest(name=name) for name in names]
    for i, leg in enumerate(legs):
        if leg.name not in config.legs:
            raise InvalidInputError(_no_leg(config, leg.name), field=f"legs[{i}].name")
        if request.like is not None:
            check_liked_leg(config, leg.name, f"legs[{i}].name")
        elif request.query is None and leg.name not in request.vectors:
            raise InvalidInputError(
                f"leg {leg.name!r} has no query; set `query` (text) or `vectors.{leg.name}`",
                field=f"legs[{i}].name",
            )
    unused = [name for name in request.vectors if name not in {leg.name for leg in legs}]
    if unused:
        raise InvalidInputError(
            f"leg {unused[0]!r} does not run in this search; add it to `legs` or remove its vector",
            field=f"vectors.{unused[0]}",
        )
    if not any(leg.weight > 0 for leg in legs):
        raise InvalidInputError(
            "at least one leg must have a weight above 0, got 0 for all of them", field="legs"
        )
    dense = {leg.name for leg in legs if isinstance(config.legs[leg.name], DenseLeg)}
    for i, leg in enumerate(legs):
        if leg.search is not None and leg.name not in dense:
            raise InvalidInputError(
                f"leg {leg.name!r} (kind: {config.legs[leg.name].kind}) is always searched "
                "exactly; only a dense leg accepts `search`",
                field=f"legs[{i}].search",
            )
    if request.search is not None and not dense:
        raise InvalidInputError(
            "requires a dense leg, and none is selected; remove `search`, or add a dense leg to "
            "`legs`",
            field="search",
        )
    return legs, warnings


def _check_language(
    config: CollectionConfig, request: SearchRequest, legs: Sequence[LegRequest]
) -> None:
    """Raise InvalidInputError for a `language` that no leg of the search uses."""
    if request.language is None:
        return
    encoders = [config.legs[leg.name].encoder for leg in legs]
    if request.query is None or not any(detects_languages(one) for one in encoders):
        raise InvalidInputError(
            f"requires a query text and a lexical leg that detects languages, got "
            f"{shown(request.language)}; remove `language`, or build the collection with a lexical "
            'leg whose `language` is "auto"',
            field="language",
        )


def _no_leg(config: CollectionConfig, name: str) -> str:
    legs = ", ".join(config.legs)
    hint = did_you_mean(name, config.legs)
    return f"there is no leg {shown(name)}; this collection has the legs {legs}{hint}"


def _reranking(
    config: CollectionConfig, request: RerankRequest, rerankers: RerankerRegistry
) -> Reranking:
    top_n = request.top_n or rerankers.config(request.model).candidates
    try:
        reranker = rerankers.get(request.model)
        with faults_named(f"reranker {request.model!r}"):
            needs = reranker.needs
    except (ModelError, MissingExtraError) as error:
        if request.on_error == "fail":
            raise
        return Reranking(request, None, Needs(), top_n, error)
    for leg in needs.stored:
        if leg not in config.legs:
            raise InvalidInputError(
                f"{request.model!r} reads leg {leg!r}, which this collection does not have; choose "
                f"another reranker. The legs of the collection are {', '.join(config.legs)}",
                field=FIELD,
            )
    if needs.vectors:
        leg_config = config.legs[needs.vectors]
        if not isinstance(leg_config, DenseLeg) or leg_config.multi:
            raise InvalidInputError(
                f"{request.model!r} reads the vectors of leg {needs.vectors!r}, which must be a "
                "dense leg with one vector per text; choose another reranker",
                field=FIELD,
            )
    return Reranking(request, reranker, needs, top_n)


@contextmanager
def naming_request(i: int) -> Iterator[None]:
    """Put `requests[i]` before the field of an InvalidInputError raised in the `with` block."""
    try:
        yield
    except InvalidInputError as error:
        field = f"requests[{i}]" + (f".{error.field}" if error.field else "")
        unsupported = isinstance(error, UnsupportedByStoreError)
        kind = UnsupportedByStoreError if unsupported else InvalidInputError
        raise kind(error.message, field=field) from None
