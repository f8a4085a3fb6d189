"""Print results and reports as text on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...core.display import one_line, place_of
from ..figures import counted, figure
from ..reranked import cost_line, moved, reasons, stage_lines

if TYPE_CHECKING:
    from ...core import Hit, QueryStage, TopTerms, Usage
    from ...core.results import Facet, FederatedResult, Scalar
    from ...core.types import Highlight
    from ...search import RerankReport, SearchResult

SNIPPET = 160
PLACE = 120
"""Maximum number of characters that are printed of the page and headings of a passage."""
TERMS = 8
"""Maximum number of terms that are printed of an explanation."""

SHOWN_SECONDS = 0.05
"""Minimum time in seconds of loading models for which the time is printed."""

REASONS = 400
"""Maximum number of characters that are printed of a reranker's reasons."""


def print_json(value: Any) -> None:
    """Print a value as indented JSON on standard output. Dataclasses become objects."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(value, ensure_ascii=not unicode, indent=2, default=asdict))


def note(message: str) -> None:
    """Print a message on standard error, so that standard output holds only the result."""
    print(message, file=sys.stderr)


def print_result(result: SearchResult, first: int = 1, *, explain: bool = False) -> None:
    """Print the hits, with their rank and score in every leg.

    Counts, timings and warnings go to standard error.

    first:   rank of the first printed hit.
    explain: also print the reasons of a reranker.
    """
    for leg, terms in (result.query_terms or {}).items():
        print(f"query in {leg}: {_top(terms)}")
    for leg, languages in (result.query_languages or {}).items():
        print(f"query in {leg}, analysed as: {', '.join(languages)}")
    starts = _group_starts(result)
    for position, hit in enumerate(result.hits):
        if position in starts:
            print(starts[position])
        print_hit(first + position, hit, explain=explain)
    for facet in result.facets:
        print(f"{facet.field}: {_counts(facet)}")
    sys.stdout.flush()
    more = "at least " if result.relation == "gte" else ""
    stages = dict(result.timings)
    loading = stages.pop("load", 0) / 1e3
    spent = ", ".join(f"{stage} {spent:.1f}" for stage, spent in stages.items())
    found = f"{more}{counted(result.total, 'document')}"
    note(f"{len(result.hits)} of {found} in {result.milliseconds:.1f} ms ({spent})")
    if loading >= SHOWN_SECONDS:
        note(f"models loaded before that, in {loading:.1f} s")
    print_query(result)
    if result.usage is not None:
        note(model_usage(result.usage))
    for warning in result.warnings:
        note(f"warning: {warning}")


def print_federated(result: FederatedResult, first: int = 1, *, explain: bool = False) -> None:
    """Print merged hits, each below a line with its collection and its rank there.

    first, explain: see `print_result`.
    """
    for position, one in enumerate(result):
        print(f"= {one.collection} #{one.rank} ({one.score:.4f})")
        print_hit(first + position, one.hit, explain=explain)
    for facet in result.facets:
        print(f"{facet.field}: {_counts(facet)}")
    sys.stdout.flush()
    more = "at least " if result.relation == "gte" else ""
    spent = sum(one.milliseconds for one in result.collections)
    note(f"{len(result)} of {more}{counted(result.total, 'document')} in {spent:.1f} ms")
    for warning in result.warnings:
        note(f"warning: {warning}")


def _group_starts(result: SearchResult) -> dict[int, str]:
    """Return the position of the first hit of each group -> the line above it."""
    starts, position = {}, 0
    for group in result.groups or ():
        starts[position] = f"= {_value(group.value)} ({counted(group.total, 'document')})"
        position += group.hits
    return starts


def _value(value: Scalar | None) -> str:
    """Return a value of a field as text, booleans as JSON has them; "none" for None."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return one_line(str(value), SNIPPET)


def _counts(facet: Facet) -> str:
    counts = ", ".join(f"{_value(one.value)} {one.count}" for one in facet.counts)
    more = facet.distinct - len(facet.counts)
    rest = [counts] if counts else []
    rest += [f"{counted(more, 'other value')}"] if more > 0 else []
    rest += [f"{facet.missing} without"] if facet.missing else []
    return "; ".join(rest)


def print_query(result: SearchResult) -> None:
    """Print what a search did to its query, and the predictors, on standard error."""
    if result.filter is not None:
        read = json.dumps(result.filter, ensure_ascii=False)
        note(f"searched {one_line(result.query or '', SNIPPET)!r} with the filter {read}")
    if result.suggestion is not None:
        note(f"did you mean: {one_line(result.suggestion, SNIPPET)}")
    for stage in result.stages:
        print_stage(stage)
    if result.predictors is not None:
        values = [f"{name} {value:.4g}" for name, value in result.predictors.items()]
        note(f"predictors: {', '.join(values)}")


def print_stage(stage: QueryStage) -> None:
    """Print what a stage did to the query, on standard error."""
    what = f": {stage.reason}" if stage.reason else f" in {stage.milliseconds:.1f} ms"
    note(f"{stage.name} {stage.status}{what}")
    for line in stage.notes if stage.status == "ran" else ():
        note(f"  {line}")
    for text in stage.queries:
        note(f"  searched: {one_line(text, SNIPPET)}")
    for leg, terms in stage.terms.items():
        note(f"  query in {leg}: {_top(terms)}")
    if stage.usage is not None:
        note(f"  {model_usage(stage.usage)}")


def print_report(name: str, report: RerankReport) -> None:
    """Print the calls, tokens and time of the reranker `name` on standard error."""
    note(f"{name}: {cost_line(report)}")
    for line in stage_lines(report):
        note(f"  {line}")


def print_hit(rank: int, hit: Hit, *, explain: bool = False) -> None:
    """Print one hit: score, id, title, rank in each leg, start of the text and explanations.

    rank:    printed rank.
    explain: also print the reasons of a reranker.
    """
    title = hit.document.title if hit.document else ""
    score, moves = f"{hit.score:.4f}", ""
    ranks = [f"{leg} #{found.rank} ({found.score:.4f})" for leg, found in hit.legs.items()]
    if hit.rerank is not None:
        judged = "" if hit.rerank.judged else ", not judged"
        moves = f"  (was {hit.rerank.previous}, {moved(hit.rerank)}{judged})"
        ranks.insert(0, f"before ({score})")
        score = "-" if hit.rerank.score is None else f"{hit.rerank.score:.4f}"
    print(f"{rank:>3}. {score}  {hit.id}{f'  {one_line(title)}' if title else ''}{moves}")
    if ranks:  # Empty if the search had no query.
        print(f"     {'   '.join(ranks)}")
    if hit.highlights is not None:
        for one in hit.highlights:
            print(f"     {one_line(_starred(one), len(one.text) + 2 * len(one.spans))}")
    elif hit.document and (text := _passage(hit)):
        print(f"     {text}")
    for leg, found in hit.legs.items():
        if found.contribution is not None:
            print(
                f"     {leg} adds {found.contribution:.4f}: "
                f"score {figure(found.score)}, scaled {found.scaled:.4f}, "
                f"weight {figure(found.weight or 0)}"
            )
    for leg, terms in (hit.explain or {}).items():
        shown = [f"{term.term} {figure(term.score)}" for term in terms[:TERMS]]
        shown += [f"and {len(terms) - TERMS} more"] if len(terms) > TERMS else []
        print(f"     {leg}: {', '.join(shown)}")
    for leg, words in (hit.terms or {}).items():
        print(f"     {leg} has: {_top(words)}")
    if explain and hit.rerank is not None and hit.rerank.reasons:
        texts = [f"{name} {value}" for name, value in reasons(hit.rerank.reasons)]
        print(f"     reranked: {one_line('; '.join(texts), REASONS)}")


def _starred(one: Highlight) -> str:
    """Return a snippet with stars around matching words."""
    text = one.text
    for start, end in reversed(one.spans):
        low, high = start - one.start, end - one.start
        text = f"{text[:low]}*{text[low:high]}*{text[high:]}"
    return text


def model_usage(usage: Usage) -> str:
    """Return one line with the prompts, tokens, time and speed of language models."""
    if not usage.calls:
        return f"language models: {counted(usage.cache_hits, 'text')} from the cache"
    tokens = usage.prompt_tokens + usage.completion_tokens
    speed = f", {tokens / usage.seconds:,.0f} tokens a second" if usage.seconds > 0 else ""
    return (
        f"language models: {counted(usage.calls, 'prompt')} of {usage.prompt_tokens:,} tokens "
        f"({usage.cached_tokens:,} reused), {usage.completion_tokens:,} generated; "
        f"{usage.seconds:.1f} s{speed}"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text. The first column is left-aligned, the others right-aligned."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def print_skipped(skipped: int, truncated: Mapping[str, int]) -> None:
    """Print the number of skipped records, and the number of truncated passages of each leg.

    truncated: leg -> passages that exceeded the input limit of its encoder.
    """
    if skipped:
        print(f"{counted(skipped, 'record')} skipped")
    for leg, passages in truncated.items():
        if passages:
            print(
                f"leg {leg}: {counted(passages, 'passage')} exceeded the input limit of its "
                "encoder and were truncated; --passages tokens, the default, makes passages that "
                "fit"
            )


def _top(terms: TopTerms) -> str:
    shown = [f"{item.term} {figure(item.weight)}" for item in terms.top[:TERMS]]
    more = terms.total - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])]) or "nothing"


def _passage(hit: Hit) -> str:
    assert hit.document is not None
    text = hit.document.text
    if hit.passage is None:
        return one_line(text, SNIPPET)
    shown = hit.context or hit.passage
    span = f"[{shown.start}-{shown.end}] "
    if place := place_of(hit):
        span += f"({one_line(place, PLACE)}) "
    length = SNIPPET if hit.context is None else shown.end - shown.start
    return span + one_line(text[shown.start : shown.end], length)
