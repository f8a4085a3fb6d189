"""Turns the text of a generator into events: texts, and citations of the statements before markers.

The statement of a marker is the text before it on the same line: from the start of its sentence, or
from the marker before it in the same sentence. A marker after the end of a sentence belongs to that
sentence. Markers with only a comma or "and" between them have one statement.

A marker without a statement before it, such as a marker at the start of a line, belongs to the next
sentence, and is moved to the end of that sentence. In "According to [1], ...", the marker becomes
"source 1", and the rest of the sentence is the statement.

The joined texts and the citations do not depend on how the generator divides its text into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO

from ...core.answers import Citation, CitationEvent, Quote, TextEvent
from ...encoders.passages.sentences import sentence_ends
from ..protocol import CitationOptions
from .markers import Marker, MarkerParser
from .support import Support, sentences

ENTAILED = 0.5
"""Minimum probability of entailment of a supported statement, if there is an entailment model."""

MATCHED = 0.8
"""Minimum support of a sentence that is cited without a marker."""

_BACK = 64
"""Number of earlier characters that may decide where a sentence ends."""

_WORD = re.compile(r"\w")
_CLOSING = frozenset(".,;:!?)]}%…。，、；：！？）」』】")
"""Characters before which no space remains when a marker is removed."""
_QUOTES = frozenset("\"'“”‘’«»„")
"""Quotation marks. One that follows a marker without a space closes a quotation."""
_LEAD = re.compile(r"(?:[\s,;:.!?…。，、；：！？–—-]|[*•]\s|\d{1,3}[.)]\s)*")
"""Spaces, punctuation and list marks at the start of a statement, which are not part of it."""
_LIST_MARK = re.compile(r"\d{1,3}[.)]")
_BRIDGE = re.compile(r"[^\S\n]*(?:(?:[,;&、，；]|and|und|or|oder)[^\S\n]*)?", re.IGNORECASE)
"""Text between two markers that have the same statement."""
_BRIDGE_BEGUN = re.compile(
    r"\s*(?:[,;&、，；][^\S\n]*|an?|and[^\S\n]*|un?|und[^\S\n]*|or?|or[^\S\n]*|ode|oder[^\S\n]*"
    r"|od)?",
    re.IGNORECASE,
)
_PUNCTUATION = re.compile(r"[^\w\s]+\Z")
_LONGEST_PUNCTUATION = 200
_NOUN = re.compile(
    r"(?:according\s+to|based\s+on|as\s+(?:stated|mentioned|noted|described|reported)\s+(?:in|by)"
    r"|laut|gemäß)(?:\s+the)?(\s+(?:source|document|passage)s?)?",
    re.IGNORECASE,
)
"""Words after which a marker is part of the sentence, such as "according to"."""

Event = TextEvent | CitationEvent


class Statements:
    """Reads the text of a generator in pieces, and yields texts and citations.

    count:   number of sources.
    support: finds the quotes of the sources.
    options: how the answer cites its sources.

    After `close`, `text` is the whole text of the answer, and `citations` has all citations.
    """

    def __init__(self, count: int, support: Support, options: CitationOptions) -> None:
        self.citations: list[Citation] = []
        self.invalid: dict[int, None] = {}
        """Numbers in markers that no source has. They are never part of the text."""
        self.dropped = 0
        """Number of quotes that were left out because they do not support their statement."""
        self._written = StringIO()
        self._length = 0
        self._count = count
        self._parser = MarkerParser(count)
        self._support = support
        self._options = options
        self._held = ""  # Punctuation at the end, not written yet: its meaning is not known yet.
        self._before = ""  # Spaces after the text, not written yet: a marker may follow them.
        self._after: str | None = None  # Text after a group of markers. None: no group is open.
        self._group: dict[int, None] = {}  # Valid numbers of the open group.
        self._leading: tuple[int, ...] = ()  # Numbers that wait for the end of their statement.
        self._covered = 0  # End of the text that belongs to an earlier citation.
        self._worded = False  # True if there is a word after `_covered`.
        self._marks: list[tuple[int, int]] = []  # Spans of the markers in the text.

    @property
    def text(self) -> str:
        """The text so far."""
        return self._written.getvalue()

    def feed(self, piece: str) -> Iterator[Event]:
        """Yield the events that are complete after this piece of text."""
        for part in self._parser.feed(piece):
            yield from self._part(part)

    def close(self) -> Iterator[Event]:
        """Yield the last events. Spaces at the end of the text are left out."""
        for part in self._parser.close():
            yield from self._part(part)
        if self._after is not None:
            after = self._after
            yield from self._end_group("" if _BRIDGE.fullmatch(after) else after)
        else:
            yield from self._release()
        if self._leading:
            yield from self._cite_leading()
        if self._options.match:
            yield from self._match()

    def cites(self, text: str) -> bool:
        """Return True if a text contains a marker with the number of a source."""
        parser = MarkerParser(self._count)
        parts = [*parser.feed(text), *parser.close()]
        return any(isinstance(part, Marker) and part.numbers for part in parts)

    def _part(self, part: str | Marker) -> Iterator[Event]:
        if isinstance(part, Marker):
            if self._after is None:
                yield from self._release()
            elif not _BRIDGE.fullmatch(self._after):
                yield from self._end_group(self._after)
                yield from self._release()
            self._after = ""
            self._group.update(dict.fromkeys(part.numbers))
            self.invalid.update(dict.fromkeys(part.invalid))
        elif self._after is not None:
            after = self._after + part
            if _BRIDGE_BEGUN.fullmatch(after):
                self._after = after
            else:
                yield from self._end_group(after)
        else:
            yield from self._words(part)

    def _words(self, text: str) -> Iterator[Event]:
        """Write a text, and hold back the spaces and punctuation at its end."""
        text = self._held + text
        found = _PUNCTUATION.search(text, max(0, len(text) - _LONGEST_PUNCTUATION))
        self._held = "" if found is None else found.group()
        yield from self._spaced(text[: len(text) - len(self._held)])

    def _release(self) -> Iterator[Event]:
        """Write the punctuation that was held back."""
        held, self._held = self._held, ""
        yield from self._spaced(held)

    def _spaced(self, text: str) -> Iterator[Event]:
        """Write a text, and hold back the spaces at its end."""
        written = text.rstrip()
        if not written:
            self._before += text
            return
        before, self._before = self._before, text[len(written) :]
        yield from self._write(before + written)

    def _write(self, text: str) -> Iterator[Event]:
        """Write a text. Markers that wait for the end of their statement are written there."""
        text = text if self._length else text.lstrip()
        while self._leading:
            known = self._length
            end = self._statement_end(text)
            if end is None:
                break
            if end > known:
                yield self._append(text[: end - known])
                text = text[end - known :]
            yield from self._cite_leading()
        if text:
            yield self._append(text)

    def _statement_end(self, text: str) -> int | None:
        """Return the offset where the statement of the leading markers ends; None if not yet.

        text: text that is written next.
        """
        base = max(self._covered, self._length - _BACK)
        whole = self._read(base, self._length) + text
        ends = [base + end for end in sentence_ends(whole)]
        ends += [base + at for at, character in enumerate(whole) if character == "\n"]
        word = _WORD.search(text)
        first = self._length if self._worded else None
        if first is None and word is not None:
            first = self._length + word.end()
        ends = [end for end in ends if first is not None and end >= first]
        return min(ends, default=None)

    def _append(self, text: str) -> TextEvent:
        self._written.write(text)
        self._length += len(text)
        self._worded = self._worded or _WORD.search(text) is not None
        return TextEvent(text)

    def _read(self, start: int, end: int) -> str:
        """Return a part of the text that was written."""
        self._written.seek(start)
        text = self._written.read(end - start)
        self._written.seek(self._length)
        return text

    def _cover(self) -> None:
        self._covered, self._worded = self._length, False

    def _end_group(self, following: str) -> Iterator[Event]:
        """End a group of adjacent markers.

        following: text after the group; "" at the end of the answer.
        """
        numbers, before = tuple(self._group), self._before
        self._group, self._before, self._after = {}, "", None
        body = following.lstrip()
        after = following[: len(following) - len(body)]
        shown = False
        if numbers:
            statement = self._statement()
            said = "" if statement is None else self._read(*statement)
            if body and "\n" not in after and ("\n" in before or _LIST_MARK.fullmatch(said)):
                statement = None  # The markers are at the start of a line.
            noun = None if statement is None else _NOUN.fullmatch(said)
            if statement is None or noun is not None:
                if noun is not None:
                    word = "" if noun[1] else "source "
                    yield self._append(f" {word}{' and '.join(map(str, numbers))}")
                    before = ""
                self._cover()
                self._leading = tuple(dict.fromkeys((*self._leading, *numbers)))
            else:
                numbers = tuple(dict.fromkeys((*self._leading, *numbers)))
                self._leading = ()
                citation = self._cite(*statement, numbers)
                if citation is not None and self._options.markers == "keep":
                    shown = True
                    yield self._mark(before, citation)
                self._cover()
                if citation is not None:
                    yield CitationEvent(citation)
        if shown:
            self._before = after
        elif not body or body[0] in _CLOSING or (body[0] in _QUOTES and not after):
            self._before = after if "\n" in after else ""
        else:
            self._before = max(before, after, key=lambda spaces: (spaces.count("\n"), bool(spaces)))
        yield from self._words(body)

    def _mark(self, before: str, citation: Citation) -> TextEvent:
        """Write the markers of a citation."""
        markers = "".join(f"[{quote.number}]" for quote in citation.quotes)
        start = self._length
        event = self._append(before + markers)
        self._marks.append((start, self._length))
        return event

    def _statement(self) -> tuple[int, int] | None:
        """Return start and end of the statement at the end of the text; None if there is none."""
        start, end = self._covered, self._length
        text = self._read(start, end)
        starts = [at for at in sentence_ends(text) if at < len(text)]
        start += max([0, text.rfind("\n") + 1, *starts[-1:]])
        return self._trimmed(start, end)

    def _trimmed(self, start: int, end: int) -> tuple[int, int] | None:
        text = self._read(start, end)
        lead = _LEAD.match(text)
        begin = 0 if lead is None else lead.end()
        return (start + begin, start + len(text.rstrip())) if _WORD.search(text, begin) else None

    def _cite_leading(self) -> Iterator[Event]:
        """Cite the sentence that follows its markers. The text ends with this sentence."""
        numbers, self._leading = self._leading, ()
        statement = self._trimmed(self._covered, self._length)
        if statement is None and self.citations:  # Markers at the end, after a cited sentence.
            last = self.citations[-1]
            statement = last.start, last.end
            cited = {quote.number for quote in last.quotes}
            numbers = tuple(number for number in numbers if number not in cited)
        if statement is None or not numbers:
            return
        citation = self._cite(*statement, numbers)
        if citation is not None and self._options.markers == "keep":
            yield self._mark(" ", citation)
        self._cover()
        if citation is not None:
            yield CitationEvent(citation)

    def _cite(self, start: int, end: int, numbers: tuple[int, ...]) -> Citation | None:
        """Record and return the citation of a statement; None if all of its quotes are dropped."""
        text = self._read(start, end)
        quotes = self._support.entailed(
            [(self._support.quote(number, text), text) for number in numbers]
        )
        holding = [quote for quote in quotes if self._holds(quote)]
        if self._options.unsupported == "drop":
            self.dropped += len(quotes) - len(holding)
            quotes = holding
        if not quotes:
            return None
        citation = Citation(start, end, tuple(quotes), bool(holding))
        self.citations.append(citation)
        return citation

    def _match(self) -> Iterator[Event]:
        """Add a citation to a sentence without marker if a source has nearly all of its words."""
        known = [(citation.start, citation.end) for citation in self.citations]
        least = max(MATCHED, self._options.min_support)
        spans: list[tuple[int, int]] = []
        found: list[tuple[Quote, str]] = []
        for start, end in self._unmarked():
            if any(start < other_end and other_start < end for other_start, other_end in known):
                continue
            text = self._read(start, end)
            quotes = [self._support.quote(number, text) for number in range(1, self._count + 1)]
            best = max(quotes, key=lambda quote: (quote.support, -quote.number), default=None)
            if best is not None and best.support >= least and self._holds(best):
                spans.append((start, end))
                found.append((best, text))
        for (start, end), best in zip(spans, self._support.entailed(found), strict=True):
            if self._holds(best):
                citation = Citation(start, end, (best,), True, "match")
                self.citations.append(citation)
                yield CitationEvent(citation)

    def _unmarked(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of the sentences of the text, without markers."""
        text, edges = self.text, [0, *(edge for mark in self._marks for edge in mark), self._length]
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            at = start
            for line in text[start:end].splitlines(keepends=True):
                for begin, stop in sentences(line):
                    if (span := self._trimmed(at + begin, at + stop)) is not None:
                        yield span
                at += len(line)

    def _holds(self, quote: Quote) -> bool:
        entailed = quote.entailment is None or quote.entailment >= ENTAILED
        return quote.support >= self._options.min_support and not quote.missing and entailed
