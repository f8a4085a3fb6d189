"""Cutting long documents into passages.

A word is a run of characters without white space. Two things count differently, so that text
without spaces does not become one giant passage: each character of a spaceless script (Chinese,
Japanese, Korean, Thai, ...) is a word, and a longer run counts one word for every `LONGEST`
characters.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache

from ...core import ConfigError, InvalidInputError, Passage
from ..scripts import SPACELESS, marks
from .config import PassageConfig

LONGEST = 40

MOST_PASSAGES = 20_000
"""Passages of one document; more are refused before anything is encoded."""

_ABBREVIATION = re.compile(
    r"(?i:al|approx|bzw|ca|cf|co|corp|dept|dr|e\.g|eds?|eqs?|etc|figs?|gen|gov|hr|i\.e|inc|jr|lt|ltd"
    r"|mrs?|ms|nr|op|pp?|prof|refs?|rev|sec|sen|sgt|sr|st|usw|vgl|viz|vol|vs|z\.b)|[^\W\d_a-z]"
)
"""A word, or an initial, whose point does not end a sentence; without that point."""


def split_passages(text: str, config: PassageConfig | None = None) -> list[Passage]:
    """Cut `text` into overlapping passages, in order; an empty list means: index it whole.

    It stays whole when `unit` is "none" or when it has at most `threshold` or at most `size`
    words. Otherwise every word is in a passage, and no passage has more than `size` words.

    - "words": neighbours share `overlap` words.
    - "sentences": whole sentences, as many as fit; neighbours share the last sentences that
      together have at most `overlap` words (fewer where the next sentence would not fit). A
      sentence of more than `size` words is cut like words.

    The last passage reaches back as far as fits, so that it is not a small remainder: it shares
    more than `overlap` words with the one before.

    >>> config = PassageConfig(unit="words", size=3, overlap=1, threshold=3)
    >>> split_passages("one two three four five", config)
    [Passage(start=0, end=13), Passage(start=8, end=23)]

    Raises InvalidInputError for more than `MOST_PASSAGES` passages, ConfigError for "tokens".
    """
    config = config or PassageConfig(unit="words")
    if config.unit == "none":
        return []
    size = config.size
    if config.unit == "tokens" or size is None:
        raise ConfigError("'tokens' needs encoders: use split_by_tokens", field="passages.unit")
    spans = word_spans(text)
    if len(spans) <= max(config.threshold, size):
        return []
    bounds: Sequence[int] = range(len(spans) + 1)
    if config.unit == "sentences":
        bounds = _sentence_bounds(text, [start for start, _ in spans], size)
    found: list[Passage] = []
    for first, stop in pack(bounds, size, config.overlap):
        if len(found) == MOST_PASSAGES:
            raise InvalidInputError(
                f"the text would be cut into more than {MOST_PASSAGES:,} passages of "
                f"size={size} and overlap={config.overlap}: choose larger passages "
                "(passages.size), a smaller overlap, or divide the document",
                field="text",
            )
        found.append(Passage(spans[first][0], spans[stop - 1][1]))
    return found


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends, in order. They hold every character but white space."""
    return [match.span() for match in _word_pattern().finditer(text)]


def pack(bounds: Sequence[int], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Ranges of words [first, stop) of at most `size`, made of whole units.

    `bounds` has the word at which each unit begins, and at its end the number of words. No unit
    is larger than `size`.
    """
    begin = 0
    while True:
        end = bisect_right(bounds, bounds[begin] + size) - 1
        if end == len(bounds) - 1:
            break
        yield bounds[begin], bounds[end]
        # Reach back for the overlap, but leave room for at least one new unit.
        begin = max(
            bisect_left(bounds, bounds[end] - overlap), bisect_left(bounds, bounds[end + 1] - size)
        )
    yield bounds[bisect_left(bounds, bounds[-1] - size)], bounds[-1]


def sentence_bounds(text: str, starts: Sequence[int]) -> list[int]:
    """The first word of each sentence but the first, ascending; `starts`: where words begin."""
    # A point and the empty line after it end the same sentence.
    return list(dict.fromkeys(bisect_left(starts, place) for place in _sentence_ends(text)))


def _sentence_bounds(text: str, starts: Sequence[int], size: int) -> list[int]:
    """The first word of each sentence (each word of a sentence that is too long), and the end."""
    bounds = [0]
    for word in [*sentence_bounds(text, starts), len(starts)]:
        if word - bounds[-1] > size:
            bounds.extend(range(bounds[-1] + 1, word))
        if word > bounds[-1]:
            bounds.append(word)
    return bounds


_SENTENCE_END = re.compile(
    r"""(?<![.!?…])(?P<points>[.!?…]+)["'”’»)\]]*(?=\s)  # a point and what closes after it
        |[。！？｡]+[」』”’）】》]*
        |\n[^\S\n]*\n                             # an empty line
    """,
    re.VERBOSE,
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]*$")
_NEXT_WORD = re.compile(r"\s*[\"'“‘«(\[]*(\w?)")


def _sentence_ends(text: str) -> Iterator[int]:
    """Places in the text after which a sentence begins, ascending."""
    for match in _SENTENCE_END.finditer(text):
        if not (match["points"] and _goes_on(text, match)):
            yield match.end()


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Whether points end no sentence: a small letter follows, or an abbreviation is before."""
    follows = _NEXT_WORD.match(text, end.end())
    if follows is not None and follows[1].islower():
        return True
    before = _LAST_WORD.search(text, max(0, end.start() - LONGEST), end.start())
    if before is None or end["points"] != ".":
        return False
    return _ABBREVIATION.fullmatch(before.group()) is not None


@cache
def _word_pattern() -> re.Pattern[str]:
    # Punctuation stays with the character it follows: "京。" is one word.
    character = rf"[{SPACELESS}](?:(?![\0-\x7f])[{marks()}])*[^\s\w]{{0,8}}"
    return re.compile(rf"{character}|[^\s{SPACELESS}]{{1,{LONGEST}}}")
