"""The results of a search, as the search page shows them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ...core import UNGUARDED, Document, Guard, Hit
from ...core.display import place_of
from ...encoders import (
    AnalyzerConfig,
    Languages,
    LexicalEncoder,
    MultilingualEncoder,
    load_analyzer,
)
from ...index import LexicalLeg
from ...search import Collection, SearchRequest, SearchResult
from ...search.request import WINDOW
from ..reranked import cost_line, stage_lines
from . import arranging, conditions, explained, highlight, markdown, movement
from .document import address
from .form import Form
from .highlight import Words

_PLAIN = LexicalEncoder(AnalyzerConfig(language="none"))


def result(
    opened: Collection,
    form: Form,
    request: SearchRequest,
    found: SearchResult,
    guard: Guard = UNGUARDED,
) -> dict[str, Any]:
    """Return the values that the page shows of a search.

    request: the search of the form.
    found:   its result.
    guard:   stops the work by an exception, e.g. at a time limit.

    After a reranking, the search runs again without it, to show how the documents moved.
    """
    rows = []
    if found.rerank is not None:
        changes = {"rerank": None, "explain": False, "suggest": False}
        plain = request.model_copy(update=changes)
        first = opened.search(plain, guard=guard)
        if first.generation == found.generation:  # No write happened meanwhile.
            rows = movement.before_and_after(first.hits, found.hits, request.offset + 1)
    following = request.offset + request.limit
    total = found.total if found.group_total is None else found.group_total
    more = following < total and following + request.limit <= WINDOW
    words = QueryWords(opened, form.query)
    hits = []
    for rank, hit in enumerate(found.hits, request.offset + 1):
        guard.check()  # Marking words in long texts takes time.
        assert hit.document is not None, "the request includes all parts"
        hits.append(_hit(rank, hit, request, form, words))
    return {
        "hits": hits,
        "groups": arranging.groups(form, found, hits, request.offset + 1),
        "group_total": found.group_total,
        "facets": arranging.facets(form, found),
        "wider": [] if hits else form.wider(opened.config.legs),
        "total": found.total,
        "relation": found.relation,
        "took": found.milliseconds,
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
    rank: int, hit: Hit, request: SearchRequest, form: Form, words: QueryWords
) -> dict[str, Any]:
    document = hit.document
    assert document is not None, "the request includes all parts"
    passage = hit.passage
    read = document.text if passage is None else document.text[passage.start : passage.end]
    is_markdown = markdown.is_markdown(document)
    title = markdown.plain(document.title) if is_markdown else document.title
    in_text, in_title = words.of(document)
    chips, more = conditions.chips(document.metadata, request.filter)
    return {
        "rank": rank,
        "id": hit.id,
        "link": address(form, hit.id, passage),
        "score": hit.score if request.has_query else None,
        "legs": hit.legs,
        "title": highlight.fragments(title[: highlight.LENGTH], *in_title),
        "excerpt": highlight.excerpt(
            document.text, *in_text, passage, title=document.title, markdown=is_markdown
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
        "rerank": hit.rerank and movement.shown(hit.rerank, document, *in_text),
    }


class QueryWords:
    """The words of a query that the page marks in documents.

    The analyzer of the first lexical leg finds the words, with the language of each document. In a
    collection without a lexical leg, an analyzer without language rules finds them.
    """

    def __init__(self, opened: Collection, query: str) -> None:
        legs = [leg for leg in opened.config.legs.values() if isinstance(leg, LexicalLeg)]
        self._analyzer = _analyzer(legs[0].encoder) if legs else _PLAIN
        self._query = query
        self._words: dict[LexicalEncoder, Words] = {}

    def of(self, document: Document) -> tuple[Words, Words]:
        """Return the words to mark in the text of a document, and those in its title."""
        if isinstance(self._analyzer, LexicalEncoder):
            return self._read(self._analyzer), self._read(self._analyzer)
        text, *title = map(self._analyzer.analyzer, self.languages(document))
        return self._read(text), self._read(title[0] if title else text)

    def languages(self, document: Document) -> Languages:
        """Return the languages in which a document is analysed; () if the leg detects none."""
        if isinstance(self._analyzer, LexicalEncoder):
            return ()
        return self._analyzer.document_languages(document)

    def _read(self, analyzer: LexicalEncoder) -> Words:
        if analyzer not in self._words:
            terms = {token.term for token in analyzer.tokens(self._query)}
            self._words[analyzer] = Words(terms, analyzer.tokens)
        return self._words[analyzer]


@lru_cache(maxsize=16)
def _analyzer(config: AnalyzerConfig) -> LexicalEncoder | MultilingualEncoder:
    return load_analyzer(config)
