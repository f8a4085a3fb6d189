"""Builds the context of an answer: the sources that are sent, and a list of what is left out.

Passages are taken by rank as long as they fit into the token budget, wrappers and question
included. A passage is never cut inside a sentence. Neighbouring passages of a document become one
source, near-copies of better passages are left out, and a document has at most a given number of
passages.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...core import InvalidInputError
from ...core.answers import LeftOut, Reason, Source
from ...encoders.passages.sentences import sentence_ends
from ..protocol import Candidate, ContextOptions, Order
from .copies import Copies, hashes
from .sizes import Size

FIELD = "context.tokens"

SMALLEST = 12
"""When fewer tokens than this are left, the remaining passages are left out without counting."""

_LONGEST_TOKEN = 16
"""Assumed maximum number of characters of a token. A text that is longer than the budget by this
estimate is not tokenised."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage of a source is: its start in the document, its page and its headings."""

    start: int
    page: int | None
    headings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Context:
    """The sources of an answer in the order of the prompt, and the passages that were left out.

    tokens: number of tokens of all sources together.
    places: number of a source -> its passages in the order of the document. Passages of one source
            may have different pages and headings.
    """

    sources: Sequence[Source]
    left_out: Sequence[LeftOut]
    tokens: int
    places: Mapping[int, Sequence[Place]] = field(default_factory=dict)


@dataclass(slots=True)
class _Chosen:
    """Passages of one document that become one source.

    group: number of the source's group in `Copies`.
    """

    first: Candidate
    ranks: list[int]
    start: int
    end: int
    tokens: int
    group: int
    cut: bool = False
    pieces: list[Candidate] = field(default_factory=list)

    def touches(self, other: Candidate) -> bool:
        """Return True if only spaces are between the source and a passage, or if they overlap."""
        if other.id != self.first.id:
            return False
        between = other.document[min(self.end, other.end) : max(self.start, other.start)]
        return not between.strip()

    def places(self) -> list[Place]:
        """Return the places of the passages in the order of the document."""
        parts = sorted([self.first, *self.pieces], key=lambda part: part.start)
        return [Place(part.start, part.page, tuple(part.headings)) for part in parts]

    def source(self, number: int) -> Source:
        return _source(self.first, self.start, self.end, number, self.ranks, self.cut, self.tokens)


def build_context(
    candidates: Sequence[Candidate],
    options: ContextOptions,
    budget: int,
    size: Size,
) -> Context:
    """Choose the sources of an answer.

    candidates: the passages that were found, best first.
    budget:     maximum number of tokens of all sources together.
    size:       returns the number of tokens of a source in the prompt.

    Raises InvalidInputError if there are candidates, but no candidate's first sentence fits.
    """
    builder = _Builder(options, budget, size)
    for rank, candidate in enumerate(candidates, 1):
        builder.add(rank, candidate)
    if builder.least and not builder.chosen:
        raise InvalidInputError(
            f"leaves {max(0, budget)} tokens for sources, but the shortest first sentence of a "
            f"passage needs {builder.least}; use a larger value",
            field=FIELD,
        )
    ordered = arrange(builder.chosen, options.order)
    sources = [one.source(number) for number, one in enumerate(ordered, 1)]
    places = {number: one.places() for number, one in enumerate(ordered, 1)}
    return Context(sources, builder.left_out, sum(one.tokens for one in sources), places)


def arrange(best_first: Sequence[_Chosen], order: Order) -> list[_Chosen]:
    """Return the sources in the given order.

    "both_ends" puts rank 1 first, rank 2 last, rank 3 second, and so on.
    """
    if order == "best_last":
        return list(reversed(best_first))
    if order == "both_ends":
        return [*best_first[0::2], *reversed(best_first[1::2])]
    return list(best_first)


class _Builder:
    """Takes passages by rank, as long as they fit."""

    def __init__(self, options: ContextOptions, budget: int, size: Size) -> None:
        self.chosen: list[_Chosen] = []
        self.left_out: list[LeftOut] = []
        self.least = 0
        self._options = options
        self._left = self._budget = budget
        self._size = size
        self._copies = Copies()
        self._taken = 0  # Number of passages in all sources.
        self._by_document: dict[str, list[_Chosen]] = {}

    def add(self, rank: int, candidate: Candidate) -> None:
        """Take a passage, or record why it is left out."""
        text = candidate.text
        if not text.strip():
            self._leave(rank, candidate, "empty")
            return
        of_document = self._by_document.get(candidate.id, ())
        if self._taken >= self._options.passages:
            self._leave(rank, candidate, "passages")
        elif sum(len(one.ranks) for one in of_document) >= self._options.per_document:
            self._leave(rank, candidate, "per_document")
        elif self._left < SMALLEST and self.chosen:
            self._leave(rank, candidate, "budget")
        else:
            self._fit(rank, candidate, text, of_document)

    def _fit(
        self, rank: int, candidate: Candidate, text: str, of_document: Sequence[_Chosen]
    ) -> None:
        shingles = hashes(text)
        if alike := self._copies.of(shingles):
            better = next(one for one in self.chosen if one.group in alike)
            self._leave(rank, candidate, "copy", copy_of=better.ranks[0])
            return
        near = next((one for one in of_document if one.touches(candidate) and not one.cut), None)
        if near is None:
            self._place(rank, candidate, shingles)
            return
        start, end = min(near.start, candidate.start), max(near.end, candidate.end)
        tokens = self._tokens(near.first, start, end)
        if tokens - near.tokens > self._left:
            self._leave(rank, candidate, "budget", tokens - near.tokens)
            return
        self._left -= tokens - near.tokens
        near.start, near.end, near.tokens = start, end, tokens
        near.ranks.append(rank)
        near.pieces.append(candidate)
        self._copies.add(shingles, near.group)
        self._taken += 1
        self._join(near)

    def _join(self, grown: _Chosen) -> None:
        """Join a source that has grown with those sources of its document that it touches now."""
        document = grown.first.id
        for other in list(self._by_document[document]):
            whole = _passage(other)
            if other is grown or other.cut or not grown.touches(whole):
                continue
            start, end = min(grown.start, other.start), max(grown.end, other.end)
            tokens = self._tokens(grown.first, start, end)
            if tokens - grown.tokens - other.tokens > self._left:
                continue
            self._left -= tokens - grown.tokens - other.tokens
            grown.start, grown.end, grown.tokens = start, end, tokens
            grown.ranks = sorted({*grown.ranks, *other.ranks})
            self._copies.join(grown.group, other.group)
            grown.pieces += [other.first, *other.pieces]
            # The joined source has the better of the two places.
            place = min(self.chosen.index(grown), self.chosen.index(other))
            self.chosen = [one for one in self.chosen if one is not grown and one is not other]
            self.chosen.insert(place, grown)
            self._by_document[document] = [one for one in self.chosen if one.first.id == document]

    def _place(self, rank: int, candidate: Candidate, shingles: Sequence[int]) -> None:
        end, tokens = candidate.end, self._cost(candidate, candidate.end)
        cut = tokens > self._left
        if cut and not self.chosen:
            end, tokens = self._first_sentences(candidate)
        if tokens > self._left:
            self.least = min(self.least or tokens, tokens)
            self._leave(rank, candidate, "budget", tokens)
            return
        self._left -= tokens
        self._taken += 1
        self._copies.add(shingles, rank)
        chosen = _Chosen(candidate, [rank], candidate.start, end, tokens, rank, cut)
        self.chosen.append(chosen)
        self._by_document.setdefault(candidate.id, []).append(chosen)

    def _first_sentences(self, candidate: Candidate) -> tuple[int, int]:
        """Return the end of the last sentence of a passage that fits, and the tokens up to there.

        If not even the first sentence fits, returns the end and the tokens of the first sentence.
        """
        ends = [candidate.start + end for end in sentence_ends(candidate.text)]
        ends = [*(end for end in ends if end < candidate.end), candidate.end]
        fitting = bisect_right(ends, self._left, key=lambda end: self._cost(candidate, end))
        end = ends[max(0, fitting - 1)]
        return end, self._cost(candidate, end)

    def _cost(self, candidate: Candidate, end: int) -> int:
        return self._tokens(candidate, candidate.start, end)

    def _tokens(self, candidate: Candidate, start: int, end: int) -> int:
        """Return the number of tokens of a source; a lower bound if the source is far too long.

        The tokens include the source number, for which the largest possible number is assumed.
        """
        if (end - start) // _LONGEST_TOKEN > self._budget:
            return (end - start) // _LONGEST_TOKEN
        return self._size(_source(candidate, start, end, self._options.passages))

    def _leave(
        self,
        rank: int,
        candidate: Candidate,
        reason: Reason,
        tokens: int = 0,
        copy_of: int | None = None,
    ) -> None:
        self.left_out.append(
            LeftOut(rank, candidate.id, candidate.start, candidate.end, reason, tokens, copy_of)
        )


def _passage(chosen: _Chosen) -> Candidate:
    """Return the passage that a source consists of."""
    return replace(chosen.first, start=chosen.start, end=chosen.end)


def _source(
    candidate: Candidate,
    start: int,
    end: int,
    number: int,
    ranks: Sequence[int] = (),
    cut: bool = False,
    tokens: int = 0,
) -> Source:
    text = candidate.document[start:end]
    shift = len(text) - len(text.lstrip())
    text = text.strip()
    return Source(
        number=number,
        id=candidate.id,
        text=text,
        start=start + shift,
        end=start + shift + len(text),
        title=candidate.title,
        headings=tuple(candidate.headings),
        page=candidate.page,
        score=candidate.score,
        tokens=tokens,
        ranks=tuple(ranks),
        cut=cut,
    )
