"""Runs queries on a collection, for one system or for a table of legs and fusions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..core import NoProgress, Progress, Qrels, Query, Run
from ..index import DenseLeg
from ..search.request import WINDOW, Fusion, LegRequest, SearchRequest
from .beir import judged_queries
from .measures import DEFAULT_MEASURES, Evaluation, evaluate, joined

if TYPE_CHECKING:
    from ..search import Collection, SearchResult

FUSIONS = ("minmax", "zscore", "dbsf", "rrf")
"""The fusion methods that a table compares by default."""

BATCH = 32
"""Number of queries that are encoded and searched in one batch."""

Search = Callable[[Sequence[Query]], Iterable[Mapping[str, float]]]
"""A search function: a list of queries -> for each query, document id -> score."""


@dataclass(frozen=True, slots=True)
class System:
    """A way to search a collection: one leg, or several legs whose results are fused.

    name:   name of the system in tables.
    legs:   the legs that are searched.
    fusion: how the results of the legs are fused. None for a single leg.
    """

    name: str
    legs: tuple[LegRequest, ...]
    fusion: Fusion | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: a system, its evaluation and the total seconds of its searches.

    Queries are encoded once for the whole table. `seconds` includes the time of encoding only for
    the first system that uses an encoder.
    """

    system: System
    evaluation: Evaluation
    seconds: float


def run_queries(
    search: Search, queries: Sequence[Query], advance: Callable[[int], None] | None = None
) -> Run:
    """Search all queries in batches, and return query id -> document id -> score.

    advance: function called after each batch with the number of its queries, to report progress.
    """
    run: dict[str, Mapping[str, float]] = {}
    for begin in range(0, len(queries), BATCH):
        batch = queries[begin : begin + BATCH]
        found = search(batch)
        run.update((query.id, scores) for query, scores in zip(batch, found, strict=True))
        if advance is not None:
            advance(len(batch))
    return run


def engine_search(collection: Collection, **fields: Any) -> Search:
    """Return a function that searches a collection for a batch of queries.

    The function returns document id -> score for each query, as `run_scores` does. A query with
    vectors is searched with them; vectors of legs that do not run are ignored.

    fields: fields of SearchRequest for all queries. Without `limit`, a search returns as many
            documents as possible.
    """
    request = widest_request({"include": (), **fields})

    def search(queries: Sequence[Query]) -> Iterable[Mapping[str, float]]:
        requests = [request_for(request, query) for query in queries]
        return [run_scores(result) for result in collection.search_batch(requests)]

    return search


def widest_request(fields: Mapping[str, Any]) -> SearchRequest:
    """Return a search request that serves as a template for all queries of an experiment.

    fields: fields of SearchRequest, without `query`. If `limit` is missing, it is the smaller of
            `depth` and the largest limit that a search supports.
    """
    limit = min(WINDOW, fields.get("depth", WINDOW))
    return SearchRequest.parse({"query": "", "limit": limit, **fields})


def request_for(request: SearchRequest, query: Query) -> SearchRequest:
    """Return the search request of one query.

    request: template for all queries. Vectors of legs that the template does not search are left
             out.
    """
    vectors = query.vectors
    if request.legs:
        vectors = {leg.name: vectors[leg.name] for leg in request.legs if leg.name in vectors}
    checked = SearchRequest.parse({"query": query.text, "vectors": vectors})
    return request.model_copy(update={"query": checked.query, "vectors": checked.vectors})


def run_scores(result: SearchResult) -> Mapping[str, float]:
    """Return document id -> score for the hits of one search.

    After reranking, the score is 1 / rank, because a reranker may leave hits without a score.
    """
    if result.rerank is None:
        return {hit.id: hit.score for hit in result.hits}
    return {hit.id: 1 / rank for rank, hit in enumerate(result.hits, 1)}


def systems(legs: Sequence[str], fusions: Sequence[str] = FUSIONS) -> list[System]:
    """Return one system for each leg alone, then one for each fusion method with all legs.

    There are no fused systems if there is only one leg.
    """
    alone = [System(leg, (LegRequest(name=leg),)) for leg in legs]
    together = tuple(LegRequest(name=leg) for leg in legs)
    if len(legs) < 2:
        return alone
    fused = [System(method, together, Fusion.parse({"method": method})) for method in fusions]
    return alone + fused


def searching_legs(collection: Collection) -> list[str]:
    """Return the names of the collection's legs with the role "search"."""
    return [name for name, leg in collection.config.legs.items() if leg.role == "search"]


def leg_table(
    collection: Collection,
    queries: Sequence[Query],
    qrels: Qrels,
    measures: Sequence[str] = DEFAULT_MEASURES,
    fusions: Sequence[str] = FUSIONS,
    *,
    progress: Progress | None = None,
    **fields: Any,
) -> list[Row]:
    """Evaluate each search leg of a collection alone, and each fusion of all search legs.

    Queries without judgements are ignored. Returns the rows of a table, one for each system.

    fields: further fields of SearchRequest, such as `filter` or `depth`. The field `search` applies
            only to systems with a dense leg.
    """
    progress = progress or NoProgress()
    judged = judged_queries(list(queries), qrels)
    lines = systems(searching_legs(collection), fusions)
    evaluate({}, qrels, measures)  # Reject an unknown measure before minutes of searching.
    collection.load()  # Exclude loading from the time of the first system.
    progress.start("search", len(lines) * len(judged), "queries")
    dense = {name for name, leg in collection.config.legs.items() if isinstance(leg, DenseLeg)}
    others = {name: value for name, value in fields.items() if name != "search"}
    searches = [
        engine_search(
            collection,
            legs=line.legs,
            fusion=line.fusion or Fusion(),
            **(fields if dense & {leg.name for leg in line.legs} else others),
        )
        for line in lines
    ]
    parts: list[list[Evaluation]] = [[] for _ in lines]
    seconds = [0.0 for _ in lines]
    # Every system searches a batch before the next batch begins, so each query is encoded only
    # once. Each batch is evaluated immediately, because the hits of all batches take gigabytes.
    for begin in range(0, len(judged), BATCH):
        batch = judged[begin : begin + BATCH]
        for i, search in enumerate(searches):
            began = perf_counter()
            run = run_queries(search, batch, progress.advance)
            seconds[i] += perf_counter() - began
            parts[i].append(evaluate(run, {query.id: qrels[query.id] for query in batch}, measures))
    progress.close()
    return [
        Row(line, joined(part, qrels, measures), spent)
        for line, part, spent in zip(lines, parts, seconds, strict=True)
    ]
