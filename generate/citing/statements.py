"""Turns the text of a generator into events: text, and citations of the statements before markers.

The statement of a marker is the text before it: from the start of its sentence, or from the marker
before it in the same sentence. A marker after the end of a sentence belongs to that sentence. A
marker before which there is nothing to cite belongs to the sentence that follows, and is moved
behind that sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...core.answers import Citation, CitationEvent, Quote, TextEvent
from ...encoders.passages.sentences import sentence_ends
from ..protocol import CitationOptions
from .markers import Marker, MarkerParser
from .support import Support, sentences

ENTAILED = 0.5
"""Minimum probability of entailment of a supported statement, if there is an entailment model."""

MATCHED = 0.8
"""Minimum support of a sentence that is cited without a marker."""

_WORD = re.compile(r"\w")
_CLOSING = frozenset(".,;:!?)]}\"'”’»…。，、；：！？）」』")
"""Characters before which no space remains when a marker is removed."""
_LEAD = re.compile(r"(?:[\s,;:.!?…–—-]|[*•]\s|\d{1,3}[.)]\s)*")
"""Spaces, punctuation and list marks at the start of a statement, which are not part of it."""

Event = TextEvent | CitationEvent


class Statements:
    """Reads the text of a generator in pieces, and yields texts and citations.

    count:   number of sources.
    support: finds the quotes.

    After `close`, `text` is the whole text of the answer and `citations` all citations.
    """

    def __init__(self, count: int, support: Support, options: CitationOptions) -> None:
        self.text = ""
        self.citations: list[Citation] = []
        self.invalid: dict[int, None] = {}
        """Numbers in markers that no source has. They are never part of the text."""
        self.dropped = 0
        """Number of quotes that were left out because they do not support their statement."""
        self._count = count
        self._parser = MarkerParser(count)
        self._support = support
        self._options = options
        self._before = ""  # Spaces after the text, not written yet: a marker may follow them.
        self._after: str | None = None  # Spaces after a group of markers. None: no group is open.
        self._group: dict[int, None] = {}  # Valid numbers of the open group.
        self._leading: tuple[int, ...] = ()  # Numbers that wait for the end of their statement.
        self._covered = 0  # End of the text that belongs to an earlier citation.

    def feed(self, piece: str) -> Iterator[Event]:
        """Yield the events that are complete after this piece of text."""
        for part in self._parser.feed(piece):
            yield from self._part(part)

    def close(self) -> Iterator[Event]:
        """Yield the last events. Spaces at the end of the text are left out."""
        for part in self._parser.close():
            yield from self._part(part)
        if self._after is not None:
            yield from self._end_group("")
        if self._leading:
            yield from self._cite_leading()
        if self._options.match:
            yield from self._match()

    def cites(self, text: str) -> bool:
        """Return True if a whole text has a marker of a source that was sent."""
        parser = MarkerParser(self._count)
        parts = [*parser.feed(text), *parser.close()]
        return any(isinstance(part, Marker) and part.numbers for part in parts)

    def _part(self, part: str | Marker) -> Iterator[Event]:
        if isinstance(part, Marker):
            self._after = ""
            self._group.update(dict.fromkeys(part.numbers))
            self.invalid.update(dict.fromkeys(part.invalid))
            return
        body = part.lstrip()
        spaces = part[: len(part) - len(body)]
        if self._after is not None:
            self._after += spaces
        else:
            self._before += spaces
        if not body:
            return
        if self._after is not None:
            yield from self._end_group(body[0])
        written = body.rstrip()
        yield from self._write(self._before + written)
        self._before = body[len(written) :]

    def _write(self, text: str) -> Iterator[Event]:
        """Write text. If markers wait for the end of their statement, write them there."""
        text = text if self.text else text.lstrip()
        while self._leading:
            known = len(self.text)
            whole = self.text[self._covered :] + text
            ends = (self._covered + end for end in sentence_ends(whole))
            end = next((end for end in ends if self._is_statement(whole, end)), None)
            if end is None:
                break
            if end > known:
                yield self._append(text[: end - known])
                text = text[end - known :]
            yield from self._cite_leading()
        if text:
            yield self._append(text)

    def _is_statement(self, whole: str, end: int) -> bool:
        return _WORD.search(whole, 0, end - self._covered) is not None

    def _append(self, text: str) -> TextEvent:
        self.text += text
        return TextEvent(text)

    def _end_group(self, following: str) -> Iterator[Event]:
        """End a group of adjacent markers. following: the character after it; "" at the end."""
        numbers, before, after = tuple(self._group), self._before, self._after or ""
        self._group, self._before, self._after = {}, "", None
        shown: tuple[int, ...] = ()
        statement = self._statement() if numbers else None
        if numbers and statement is None:
            self._leading = tuple(dict.fromkeys((*self._leading, *numbers)))
        elif statement is not None:
            numbers = tuple(dict.fromkeys((*self._leading, *numbers)))
            self._leading = ()
            citation = self._cite(*statement, numbers)
            if citation is not None:
                shown = tuple(quote.number for quote in citation.quotes)
                if self._options.markers == "keep":
                    yield self._append(before + _markers(shown))
                self._covered = len(self.text)
                yield CitationEvent(citation)
        if shown and self._options.markers == "keep":
            self._before = after
        elif not following or following in _CLOSING:
            self._before = ""
        else:
            self._before = before if "\n" in before or not after else after

    def _statement(self) -> tuple[int, int] | None:
        """Return start and end of the statement at the end of the text; None if there is none."""
        start, end = self._covered, len(self.text)
        for sentence_end in sentence_ends(self.text[self._covered : end]):
            if self._covered + sentence_end < end:
                start = self._covered + sentence_end
        return self._trimmed(max(start, self.text.rfind("\n", start, end) + 1), end)

    def _trimmed(self, start: int, end: int) -> tuple[int, int] | None:
        lead = _LEAD.match(self.text, start, end)
        start = lead.end() if lead is not None else start
        return (start, end) if _WORD.search(self.text, start, end) else None

    def _cite_leading(self) -> Iterator[Event]:
        """Cite the sentence that follows its markers. The text ends with this sentence."""
        numbers, self._leading = self._leading, ()
        statement = self._trimmed(self._covered, len(self.text))
        if statement is None and self.citations:  # Markers at the end, after a cited sentence.
            statement = self.citations[-1].start, self.citations[-1].end
        if statement is None:
            return
        citation = self._cite(*statement, numbers)
        if citation is None:
            return
        if self._options.markers == "keep":
            yield self._append(" " + _markers([quote.number for quote in citation.quotes]))
        self._covered = len(self.text)
        yield CitationEvent(citation)

    def _cite(self, start: int, end: int, numbers: tuple[int, ...]) -> Citation | None:
        """Record and return the citation of a statement; None if all of its quotes are dropped."""
        text = self.text[start:end]
        quotes = [self._support.quote(number, text) for number in numbers]
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
        """Cite sentences without a marker whose words one of the sources has."""
        known = [(citation.start, citation.end) for citation in self.citations]
        least = max(MATCHED, self._options.min_support)
        for start, end in sentences(self.text):
            if any(start < other_end and other_start < end for other_start, other_end in known):
                continue
            text = self.text[start:end]
            quotes = [self._support.quote(number, text) for number in range(1, self._count + 1)]
            best = max(quotes, key=lambda quote: (quote.support, -quote.number), default=None)
            if best is not None and best.support >= least and self._holds(best):
                citation = Citation(start, end, (best,), True, "match")
                self.citations.append(citation)
                yield CitationEvent(citation)

    def _holds(self, quote: Quote) -> bool:
        entailed = quote.entailment is None or quote.entailment >= ENTAILED
        return quote.support >= self._options.min_support and not quote.missing and entailed


def _markers(numbers: tuple[int, ...] | list[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)
