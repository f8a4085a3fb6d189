"""The answer page: its form, the request that the form makes, and the parts of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from ...core.answers import Answer, Citation, Quote, Source
from ...search import AnswerRequest
from ..answered import (
    LEFT_OUT,
    NO_ANSWER,
    TOO_LONG,
    cited,
    context_line,
    generated_name,
    has_tokens,
    left_out_reason,
    no_answer_reason,
    place_of,
    read_filter,
    searched_lines,
    support_line,
    unsent_turns,
)
from ..serving.problems import validate
from . import conditions

KEPT = 6
"""Maximum number of earlier turns that a form without JavaScript sends again."""
KEPT_CHARACTERS = 4_000
"""Maximum number of characters of these turns, which are part of the page's address."""

WORDS = {"left_out": LEFT_OUT, "no_answer": NO_ANSWER, "too_long": TOO_LONG}
"""Words that the page's script shows too."""

_FIELDS = {
    "collection": "collection",
    "question": "q",
    "generator": "generator",
    "limit": "limit",
    "passages": "passages",
    "max_tokens": "max_tokens",
    "filter": "filter",
    "rerank": "rerank",
    "rewrite": "rewrite",
    "background": "background",
    "literal": "literal",
}
"""Field of AskForm -> its name in the query string."""

_MARKERS = re.compile(r"(?:\s?\[\d{1,6}\])+")
_MARKER = re.compile(r"(\s?)\[(\d+)\]")


@dataclass(slots=True)
class AskForm:
    """The fields of the form as the user entered them, valid or not. The page shows them again.

    rewrite: name of a rewriter. Empty: as the server does by default. "none": no rewriter.
    background: name of a background. Empty: none.
    literal: "1": no filter is read from the question.
    turns: texts of the earlier turns: question, answer, question, ...
    """

    collection: str = ""
    question: str = ""
    generator: str = ""
    limit: str = "10"
    passages: str = "10"
    max_tokens: str = "256"
    filter: str = ""
    rerank: str = ""
    rewrite: str = ""
    background: str = ""
    literal: str = ""
    turns: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, given: QueryParams) -> AskForm:
        """Return the form whose fields are in the query string of an address."""
        plain = {name: given[word] for name, word in _FIELDS.items() if word in given}
        return cls(**plain, turns=given.getlist("turn"))

    @property
    def changed(self) -> list[str]:
        """Short descriptions of the options that differ from their defaults."""
        words = [] if self.limit == "10" else [f"{self.limit} hits"]
        words += [] if self.passages == "10" else [f"{self.passages} passages"]
        words += [] if self.max_tokens == "256" else [f"{self.max_tokens} tokens"]
        words += [f"reranked by {self.rerank}"] if self.rerank else []
        words += [f"rewriter {self.rewrite}"] if self.rewrite else []
        words += [f"background {self.background}"] if self.background else []
        words += ["no filters in the question"] if self.literal else []
        return words + (["filtered"] if self.filter.strip() else [])

    def request(self) -> AnswerRequest:
        """Return the request of the form. Raises Problem 422 for invalid fields."""
        fields = {
            "question": self.question,
            "generator": self.generator or None,
            "max_tokens": self.max_tokens,
            "rewrite": False if self.rewrite == "none" else self.rewrite or None,
            "background": self.background or None,
            "context": {"passages": self.passages},
            "turns": [
                {"role": "assistant" if number % 2 else "user", "content": text}
                for number, text in enumerate(self.turns)
            ],
            "search": {
                "limit": self.limit,
                "filter": conditions.parse(self.filter),
                "rerank": {"model": self.rerank} if self.rerank else None,
                "parse_filters": not self.literal,
                "suggest": True,
            },
        }
        return validate(AnswerRequest, fields, texts=True)

    def following(self, answer: str) -> list[str]:
        """Return the turns that a follow-up question sends.

        They are the latest turns, with at most `KEPT_CHARACTERS` characters together.
        """
        turns = [*self.turns, self.question, answer][-KEPT:]
        while sum(map(len, turns)) > KEPT_CHARACTERS:
            turns = turns[2:]
        return turns

    def literally(self) -> str:
        """Return the address of this question without the filters that were read from it."""
        return replace(self, literal="1").address()

    def corrected(self, question: str) -> str:
        """Return the address of another question in place of this one."""
        return replace(self, question=question).address()

    def address(self) -> str:
        """Return the address of the answer to this question."""
        fields = {name: getattr(self, own) for own, name in _FIELDS.items()}
        given = {name: text for name, text in fields.items() if text}
        return "ask?" + urlencode([*given.items(), *self._sent_turns()])

    def _sent_turns(self) -> list[tuple[str, str]]:
        return [("turn", text) for text in self.turns]

    def new(self) -> str:
        """Return the address of a new conversation with the same collection."""
        return "ask?" + urlencode({"collection": self.collection})


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer's text.

    kind:  "text"; "statement"; "doubt": a statement that its sources do not support; "marker": a
           link to a quote.
    title: for "doubt", why the sources do not support the statement; for "marker", the quote.
    link:  address of the quote in its document, for a marker.
    """

    kind: str
    text: str
    title: str = ""
    link: str = ""


def view(form: AskForm, answer: Answer, unsent: int = 0) -> dict[str, Any]:
    """Return the values that the page shows of an answer.

    unsent: number of earlier turns that were not sent, because they left no space for sources.
    """
    return {
        "question": form.question,
        "outcome": answer.outcome,
        "text": answer.text,
        "pieces": list(pieces(form, answer)),
        "reason": no_answer_reason(answer) if answer.outcome == "no_answer" else "",
        "cited": [
            {
                **_source(form, one.source),
                "quotes": [{"text": q.text, "link": link(form, q)} for q in one.quotes],
            }
            for one in cited(answer)
        ],
        "searched": searched_lines(answer),
        "suggestion": answer.suggestion
        and {"text": answer.suggestion, "link": form.corrected(answer.suggestion)},
        "read": read_filter(answer),
        "literally": form.literally(),
        "context": context_line(answer),
        "sent": [
            {
                **_source(form, one),
                "ranks": ", ".join(map(str, one.ranks)),
                "tokens": one.tokens,
                "cut": one.cut,
            }
            for one in answer.sources
            if one.kind == "document"
        ],
        "generated": [one.text for one in answer.sources if one.kind == "generated"],
        "left_out": [
            {"rank": one.rank, "id": one.id, "link": link(form, one), "why": left_out_reason(one)}
            for one in answer.left_out
            if one.kind == "document"
        ],
        "unsent": [
            {"name": generated_name(one), "why": left_out_reason(one)}
            for one in answer.left_out
            if one.kind == "generated"
        ],
        "cost": cost(answer),
        "unit": "tokens" if has_tokens(answer) else "words",
        "warnings": [*answer.warnings, *([unsent_turns(unsent)] if unsent else [])],
    }


def pieces(form: AskForm, answer: Answer) -> Iterator[Piece]:
    """Yield the pieces of an answer's text, in order. The script of the page does the same."""
    text, at = answer.text, 0
    for citation in sorted(answer.citations, key=lambda one: one.start):
        if citation.start < at:
            continue
        yield Piece("text", text[at : citation.start])
        yield _statement(citation, text)
        at = citation.end
        quotes = {quote.number: quote for quote in citation.quotes}
        if (markers := _MARKERS.match(text, at)) is not None:
            for space, number in _MARKER.findall(markers.group()):
                yield Piece("text", space)
                quote = quotes.pop(int(number), None)
                yield Piece("text", f"[{number}]") if quote is None else _marker(form, quote)
            at = markers.end()
        for quote in quotes.values():  # Cited by words, without a marker in the text.
            yield Piece("text", " ")
            yield _marker(form, quote)
    yield Piece("text", text[at:])


def _statement(citation: Citation, text: str) -> Piece:
    words = text[citation.start : citation.end]
    if citation.supported:
        return Piece("statement", words)
    return Piece("doubt", words, f"Not supported: {support_line(citation)}")


def _marker(form: AskForm, quote: Quote) -> Piece:
    return Piece("marker", f"[{quote.number}]", f"{quote.id}: {quote.text}", link(form, quote))


def link(form: AskForm, part: Any) -> str:
    """Return the address of a document's page on which a part of the text is marked.

    part: has the `id` of the document, and `start` and `end`.
    """
    fields = {"collection": form.collection, "id": part.id, "q": form.question, "from": "ask"}
    return f"document?{urlencode({**fields, 'start': part.start, 'end': part.end})}#passage"


def _source(form: AskForm, source: Source) -> dict[str, Any]:
    return {
        "number": source.number,
        "id": source.id,
        "title": source.title,
        "place": place_of(source),
        "link": link(form, source),
    }


def cost(answer: Answer) -> str:
    """Return in words what an answer cost: generator, tokens and time."""
    usage, timings = answer.usage, answer.timings
    spent = sum(ms for name, ms in timings.items() if name not in ("load", "first_token"))
    tokens, time = "no language model", f"{spent:,.0f} ms"
    if usage.calls or usage.cache_hits:
        tokens = f"{usage.prompt_tokens:,} tokens read, {usage.completion_tokens:,} written"
        time += f", first words after {timings.get('first_token', 0):,.0f} ms"
    return f"{answer.generator} · {tokens} · {time}"


def asked_before(form: AskForm) -> list[dict[str, str]]:
    """Return the earlier questions with their answers, the latest first."""
    pairs = zip(form.turns[::2], form.turns[1::2], strict=False)
    return [{"question": question, "text": text} for question, text in pairs][::-1]
