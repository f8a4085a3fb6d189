"""The comparison of two pipelines, A and B, on one query: their forms, hits and agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from ...core import UNGUARDED, Guard, Hit
from ...search import Collection, SearchRequest, SearchResult
from ...search.predictors.agreement import DEPTH, FIRST, rbo
from ..figures import counted
from ..reranked import cost_line
from . import highlight, markdown
from .document import address
from .form import Form
from .results import QueryWords

SIDES = ("a", "b")
SHARED = ("collection", "q", "language", "limit")
"""Query parameters that belong to both pipelines. Those of one pipeline begin with `a.` or `b.`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two searches with the same collection, query, language and number of hits."""

    a: Form
    b: Form

    @classmethod
    def read(cls, given: QueryParams) -> Comparison:
        """Return the comparison in the query string of an address.

        Without an option of a pipeline, A is the default search, and B differs in its fusion.
        """
        items = given.multi_items()
        shared = [(name, value) for name, value in items if name in SHARED]
        forms = []
        for side in SIDES:
            named = [(n.removeprefix(f"{side}."), v) for n, v in items if n.startswith(f"{side}.")]
            own = [(name, value) for name, value in named if name not in SHARED]
            form = Form.read(QueryParams([*own, *shared]))
            # The page compares ranked lists, which have no groups and no order by fields.
            forms.append(replace(form, sort=[], facets=[], group="", explain=False, offset="0"))
        a, b = forms
        if not any(name.startswith("b.") for name, _ in items):
            b = replace(a, method="minmax" if a.method == "rrf" else "rrf")
        return cls(a, b)

    def with_collection(self, name: str) -> Comparison:
        """Return the comparison in the collection `name`."""
        return Comparison(replace(self.a, collection=name), replace(self.b, collection=name))

    def address(self) -> str:
        """Return the address of the page with this comparison."""
        return "compare?" + urlencode(_parameters((self.a, self.b)))

    def swapped(self) -> str:
        """Return the address of the comparison of B with A."""
        return Comparison(self.b, self.a).address()


def fields_of(form: Form) -> str:
    """Return the query string of the comparison page, with a search as pipeline A."""
    return "?" + urlencode(_parameters((form,)))


def _parameters(forms: Sequence[Form]) -> list[tuple[str, str]]:
    shared = [(name, value) for name, value in forms[0].parameters() if name in SHARED and value]
    return shared + [
        (f"{side}.{name}", value)
        for side, form in zip(SIDES, forms, strict=False)
        for name, value in form.parameters()
        if name not in SHARED and value
    ]


def deepened(request: SearchRequest) -> SearchRequest:
    """Return a search for at least the first DEPTH hits, so that most ranks are known."""
    return request.model_copy(update={"limit": max(request.limit, DEPTH), "offset": 0})


def side(
    opened: Collection,
    form: Form,
    limit: int,
    found: SearchResult,
    guard: Guard = UNGUARDED,
) -> dict[str, Any]:
    """Return what the page shows of the search of one pipeline.

    limit: number of hits that are shown. `ids` has those of all hits, best first.
    """
    words = QueryWords(opened, form.query)
    hits = []
    for rank, hit in enumerate(found.hits[:limit], 1):
        guard.check()  # Marking words in long texts takes time.
        hits.append(_hit(rank, hit, form, words))
    return {
        "hits": hits,
        "ids": [hit.id for hit in found.hits],
        "total": found.total,
        "relation": found.relation,
        "took": found.milliseconds,
        "timings": found.timings,
        "warnings": found.warnings,
        "stages": found.stages,
        "rerank": found.rerank and {"name": found.rerank.model, "spent": cost_line(found.rerank)},
    }


def _hit(rank: int, hit: Hit, form: Form, words: QueryWords) -> dict[str, Any]:
    document = hit.document
    assert document is not None, "the request includes all parts"
    is_markdown = markdown.is_markdown(document)
    title = markdown.plain(document.title) if is_markdown else document.title
    in_text, in_title = words.of(document)
    score = hit.score if hit.rerank is None else hit.rerank.score
    return {
        "rank": rank,
        "id": hit.id,
        "link": address(form, hit.id, hit.passage),
        "score": score,
        "legs": hit.legs,
        "title": highlight.fragments(title[: highlight.LENGTH], *in_title),
        "excerpt": highlight.excerpt(
            document.text, *in_text, hit.passage, title=document.title, markdown=is_markdown
        ),
    }


def agreement(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Add to each hit of two pipelines its place in the other list, and return their agreement.

    `common` is the number of documents that the first FIRST hits of both lists share, `of` the
    number of hits of the longer one, up to FIRST. `rbo` is their rank-biased overlap.

    a, b: results of `side`. Each hit gets `move`; see `_move`.
    """
    one, other = a["ids"], b["ids"]
    numbers = {name: number for number, name in enumerate(dict.fromkeys([*one, *other]))}
    for hits, ids, is_a in ((a["hits"], other, True), (b["hits"], one, False)):
        ranks = {name: rank for rank, name in enumerate(ids, 1)}
        for hit in hits:
            hit["move"] = _move(hit["rank"], ranks.get(hit["id"]), len(ids), is_a=is_a)
    return {
        "common": len(set(one[:FIRST]) & set(other[:FIRST])),
        "of": max(len(one[:FIRST]), len(other[:FIRST])),
        "first": FIRST,
        "rbo": rbo([numbers[name] for name in one], [numbers[name] for name in other]),
        "same": one == other,
    }


def _move(rank: int, other: int | None, depth: int, *, is_a: bool) -> dict[str, Any]:
    """Return how a hit moves from A to B.

    `other` is its rank in the other list; None: it is not among the first `depth` hits. `change` is
    the number of ranks that it rises from A to B. `words` says the same.
    """
    where = "B" if is_a else "A"
    if other is None:
        words = f"only here: not among the first {depth} of {where}" if depth else "only here"
        return {"other": None, "change": 0, "where": where, "words": words}
    change = rank - other if is_a else other - rank
    if change == 0:
        words = f"same rank in {where}"
    else:
        way = "rises" if change > 0 else "falls"
        path = f"to rank {other} in B" if is_a else f"from rank {other} in A"
        words = f"{way} {counted(abs(change), 'rank')}, {path}"
    return {"other": other, "change": change, "where": where, "words": words}
