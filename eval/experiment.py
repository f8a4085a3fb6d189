"""Queries run through a collection, for one system or for a table of legs and fusions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..core import NoProgress, Progress, Qrels, Query, Run
from ..index import DenseLeg
from ..search.request import WINDOW, Fusion, LegRequest, SearchRequest
from .beir import judged_queries
from .measures import DEFAULT_MEASURES, Evaluation, evaluate

if TYPE_CHECKING:
    from ..search import Collection, SearchResult

FUSIONS = ("minmax", "zscore", "dbsf", "rrf")
"""The fusion methods that a table compares."""

BATCH = 32
"""Queries handed over together, so that their encoding is shared."""

Search = Callable[[Sequence[str]], Iterable[Mapping[str, float]]]
"""Texts of queries -> for each of them, document id -> score of what it finds."""


@dataclass(frozen=True, slots=True)
class System:
    """One way to search a collection: which legs, fused how (None when there is a single leg)."""

    name: str
    legs: tuple[LegRequest, ...]
    fusion: Fusion | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: a system, how well it did, and the seconds its searches took.

    Queries are encoded once for the whole table: the first system with an encoder pays for it.
    """

    system: System
    evaluation: Evaluation
    seconds: float


def run_queries(
    search: Search, queries: Sequence[Query], advance: Callable[[int], None] | None = None
) -> Run:
    """Run every query through `search`, in batches; `advance(n)` is called as n more are done."""
    run: dict[str, Mapping[str, float]] = {}
    for begin in range(0, len(queries), BATCH):
        batch = queries[begin : begin + BATCH]
        found = search([query.text for query in batch])
        run.update((query.id, scores) for query, scores in zip(batch, found, strict=True))
        if advance is not None:
            advance(len(batch))
    return run


def engine_search(collection: Collection, **fields: Any) -> Search:
    """`Search` by a collection; `fields` are those of SearchRequest.

    As many documents as a search can return are taken, unless `limit` says otherwise. See
    `run_scores` for their scores.
    """
    request = widest({"include": (), **fields})

    def search(texts: Sequence[str]) -> Iterable[Mapping[str, float]]:
        requests = [request.model_copy(update={"query": text}) for text in texts]
        return [run_scores(result) for result in collection.search_batch(requests)]

    return search


def widest(fields: Mapping[str, Any]) -> SearchRequest:
    """A request with these fields that takes as many documents as a search can return, unless they
    have a `limit`. Its query is to be put in."""
    limit = min(WINDOW, fields.get("depth", WINDOW))
    return SearchRequest.parse({"query": "", "limit": limit, **fields})


def run_scores(result: SearchResult) -> Mapping[str, float]:
    """Document id -> score of a result, for a run.

    A run is ordered by its scores alone, but a reranker does not give one to every hit. So after
    reranking the score is 1 / place, which says the order and nothing else.
    """
    if result.rerank is None:
        return {hit.id: hit.score for hit in result.hits}
    return {hit.id: 1 / place for place, hit in enumerate(result.hits, 1)}


def systems(legs: Sequence[str], fusions: Sequence[str] = FUSIONS) -> list[System]:
    """Each leg alone; then, when there are several, all of them under each fusion."""
    alone = [System(leg, (LegRequest(name=leg),)) for leg in legs]
    together = tuple(LegRequest(name=leg) for leg in legs)
    if len(legs) < 2:
        return alone
    fused = [System(method, together, Fusion.parse({"method": method})) for method in fusions]
    return alone + fused


def searching_legs(collection: Collection) -> list[str]:
    """Names of the legs that are for searching, not only for reranking."""
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
    """Evaluate each leg of a collection that is for searching alone and all of them under each
    fusion.

    Only queries with judgements are run. `fields` are further fields of SearchRequest, such as
    `filter` or `depth`; `search` is of the systems with a dense leg.
    """
    progress = progress or NoProgress()
    judged = judged_queries(list(queries), qrels)
    lines = systems(searching_legs(collection), fusions)
    evaluate({}, qrels, measures)  # a wrong measure should not be found after minutes of searching
    collection.load()  # so that the first system does not pay for it
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
    runs: list[dict[str, Mapping[str, float]]] = [{} for _ in lines]
    seconds = [0.0 for _ in lines]
    # Every system searches a batch before the next one comes: its queries are encoded once,
    # however many there are in all.
    for begin in range(0, len(judged), BATCH):
        batch = judged[begin : begin + BATCH]
        for i, search in enumerate(searches):
            began = perf_counter()
            runs[i].update(run_queries(search, batch, progress.advance))
            seconds[i] += perf_counter() - began
    progress.close()
    return [
        Row(line, evaluate(run, qrels, measures), spent)
        for line, run, spent in zip(lines, runs, seconds, strict=True)
    ]
