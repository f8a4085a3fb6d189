"""The results of a search, as the search page shows them."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import Any

from ...core import UNGUARDED, Document, Guard, Hit
from ...core.display import place_of
from ...encoders import AnalyzerConfig, LexicalEncoder, MultilingualEncoder, load_analyzer
from ...index import LexicalLeg
from ...search import Collection, SearchRequest
from ...search.request import WINDOW
from ..reranked import cost_line, stage_lines
from ..serving.settings import Settings
from ..serving.work import check_work
from . import conditions, explained, highlight, markdown, movement
from .document import address
from .form import Form

_PLAIN = LexicalEncoder(AnalyzerConfig(language="none"))


def result(
    opened: Collection, form: Form, settings: Settings, guard: Guard = UNGUARDED
) -> dict[str, Any]:
    """Run the search of the form and return the values that the page shows.

    guard: stops the search by an exception, e.g. at a time limit. Raises InvalidInputError or
    Problem for invalid fields, and the exceptions of the guard.
    """
    request = form.request(opened.config.legs)
    check_work(settings, [request])
    began = perf_counter()
    found = opened.search(request, guard=guard)
    took = (perf_counter() - began) * 1e3
    rows = []
    if found.rerank is not None:
        changes = {"rerank": None, "explain": False, "suggest": False}
        plain = request.model_copy(update=changes)
        first = opened.search(plain, guard=guard)
        if first.generation == found.generation:  # No write happened meanwhile.
            rows = movement.before_and_after(first.hits, found.hits, request.offset + 1)
    following = request.offset + request.limit
    more = following < found.total and following + request.limit <= WINDOW
    terms: dict[LexicalEncoder, set[str]] = {}
    hits = []
    for rank, hit in enumerate(found.hits, request.offset + 1):
        guard.check()  # Marking words in long texts takes time.
        assert hit.document is not None, "the request includes all parts"
        analyzer = analyzer_of(opened, hit.document)
        if analyzer not in terms:
            terms[analyzer] = query_terms(analyzer, form.query)
        hits.append(_hit(rank, hit, request, form, terms[analyzer], analyzer))
    return {
        "hits": hits,
        "wider": [] if hits else form.wider(opened.config.legs),
        "total": found.total,
        "relation": found.relation,
        "took": took,
        "timings": found.timings,
        "warnings": found.warnings,
        "suggestion": found.suggestion
        and {"text": found.suggestion, "link": form.corrected(found.suggestion)},
        "stages": found.stages,
        "query_terms": found.query_terms or {},
        "query_languages": found.query_languages or {},
        "rerank": found.rerank
        and {
            "model": found.rerank.model,
            "status": found.rerank.status,
            "spent": cost_line(found.rerank),
            "stages": stage_lines(found.rerank),
            "rows": rows,
        },
        "previous": form.link(max(0, request.offset - request.limit)) if request.offset else None,
        "next": form.link(following) if more else None,
    }


def _hit(
    rank: int,
    hit: Hit,
    request: SearchRequest,
    form: Form,
    terms: set[str],
    analyzer: LexicalEncoder,
) -> dict[str, Any]:
    document = hit.document
    assert document is not None, "the request includes all parts"
    passage = hit.passage
    read = document.text if passage is None else document.text[passage.start : passage.end]
    is_markdown = markdown.is_markdown(document)
    title = markdown.plain(document.title) if is_markdown else document.title
    chips, more = conditions.chips(document.metadata, request.filter)
    return {
        "rank": rank,
        "id": hit.id,
        "link": address(form.collection, hit.id, form.query, passage),
        "score": hit.score,
        "legs": hit.legs,
        "title": highlight.fragments(title[: highlight.LENGTH], terms, analyzer.tokens),
        "excerpt": highlight.excerpt(
            document.text,
            terms,
            analyzer.tokens,
            passage,
            title=document.title,
            markdown=is_markdown,
        ),
        "passage": passage,
        "place": place_of(hit),
        "length": len(document.text),
        "chips": [
            {**chip, "link": chip["filter"] and form.filtered(chip["filter"])} for chip in chips
        ],
        "more_chips": more,
        "leg_rows": explained.leg_rows(hit, request),
        "explain": explained.term_rows(
            hit.explain, [form.query, document.title, read[: markdown.READ]]
        ),
        "terms": hit.terms or {},
        "rerank": hit.rerank and movement.shown(hit.rerank, document, terms, analyzer.tokens),
    }


def query_terms(analyzer: LexicalEncoder, query: str) -> set[str]:
    """Return the analyzed terms of a query. The page marks these terms in texts."""
    return {token.term for token in analyzer.tokens(query)}


def analyzer_of(opened: Collection, document: Document) -> LexicalEncoder:
    """Return the analyzer of the lexical leg for a document.

    If there is no such leg, it is an analyzer for plain words.
    """
    for leg in opened.config.legs.values():
        if isinstance(leg, LexicalLeg):
            analyzer = _analyzer(leg.encoder)
            if isinstance(analyzer, MultilingualEncoder):
                return analyzer.analyzer(analyzer.document_language(document))
            return analyzer
    return _PLAIN


@lru_cache(maxsize=16)
def _analyzer(config: AnalyzerConfig) -> LexicalEncoder | MultilingualEncoder:
    return load_analyzer(config)
