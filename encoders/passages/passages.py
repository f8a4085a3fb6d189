"""Splitting long documents into passages by words or sentences.

A word is a run of characters without white space, with two exceptions, so that text without spaces
does not become one giant passage. Each character of a script without spaces (Chinese, Japanese,
Korean, Thai, ...) is a word. Any other run of more than `LONGEST_WORD` characters is divided into
words of at most this length.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache

from ...core import ConfigError, InvalidInputError, Passage
from ...core.types import MOST_PASSAGES
from ...sources.structure import Outline, outline
from ..scripts import SPACELESS, marks
from .config import PassageConfig
from .units import Ranges, Units, find_units, grouped

LONGEST_WORD = 40


def split_passages(
    text: str, config: PassageConfig | None = None, structure: Outline | None = None
) -> list[Passage]:
    """Split `text` into overlapping passages, in order. Return [] if it stays whole.

    structure: outline of the text. It is ignored if `config.structure` is False. None: the outline
               is computed, as for Markdown.

    A text stays whole if `unit` is "none", or if the text has at most `threshold` words, or at most
    `size` words. Otherwise every word is in a passage, and no passage has more than `size` words.

    - "words": adjacent passages share `overlap` words.
    - "sentences": a passage has as many whole sentences as fit. Adjacent passages share the last
      sentences that together have at most `overlap` words (fewer if the next sentence would not
      fit). A sentence of more than `size` words is split by words.

    The last passage starts as early as `size` allows, so that it is not a small remainder. It may
    share more than `overlap` words with the previous passage.

    >>> config = PassageConfig(unit="words", size=3, overlap=1, threshold=3)
    >>> split_passages("one two three four five", config)
    [Passage(start=0, end=13), Passage(start=8, end=23)]

    Raises InvalidInputError for more than `MOST_PASSAGES` passages, and ConfigError for the unit
    "tokens", which `split_by_tokens` supports.
    """
    config = config or PassageConfig(unit="words")
    if config.unit == "none":
        return []
    size = config.size
    if config.unit == "tokens" or size is None:
        raise ConfigError(
            "the unit 'tokens' requires encoders: use `split_by_tokens`, or the unit 'words' or "
            "'sentences'",
            field="passages.unit",
        )
    spans = word_spans(text)
    if len(spans) <= max(config.threshold, size):
        return []
    used = structure or outline(text) if config.structure else None
    units = find_units(text, [start for start, _ in spans], used)
    bounds = _bounds(units, len(spans), size, sentences=config.unit == "sentences")
    found: list[Passage] = []
    for first, stop in packed(bounds, units.sections, size, config.overlap):
        if len(found) == MOST_PASSAGES:
            raise InvalidInputError(
                f"the text would be split into more than {MOST_PASSAGES:,} passages of "
                f"size={size} and overlap={config.overlap}: choose larger passages "
                "(passages.size), choose a smaller overlap, or divide the document",
                field="text",
            )
        found.append(Passage(spans[first][0], spans[stop - 1][1]))
    return found


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each word, in order. Words cover all text but white space."""
    return [match.span() for match in _word_pattern().finditer(text)]


def packed(
    bounds: Sequence[int], sections: Ranges, size: int, overlap: int
) -> Iterator[tuple[int, int]]:
    """Yield the range [first, stop) of words or tokens of each passage.

    A passage does not cross the border of two sections, unless `grouped` joins these sections.

    sections: (position of the first word or token, level of the heading) of each section.

    See `pack` for the other arguments.
    """
    for first, stop in grouped(sections, bounds[-1], size):
        begin, end = bisect_left(bounds, first), bisect_left(bounds, stop)
        yield from pack(bounds[begin : end + 1], size, overlap)


def pack(bounds: Sequence[int], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Group adjacent units, and yield the range [first, stop) of words or tokens of each group.

    A unit is a sentence or a word. A group has at most `size` words or tokens. It repeats the last
    units of the previous group: at most `overlap` words or tokens, and fewer if a new unit would
    not fit otherwise. The last group may repeat more.

    bounds: position of the first word or token of each unit, then the total number of words or
            tokens. No unit may be larger than `size`.
    """
    begin = 0
    while True:
        end = bisect_right(bounds, bounds[begin] + size) - 1
        if end == len(bounds) - 1:
            break
        yield bounds[begin], bounds[end]
        # Start early enough for the overlap, but leave room for at least one new unit.
        begin = max(
            bisect_left(bounds, bounds[end] - overlap), bisect_left(bounds, bounds[end + 1] - size)
        )
    yield bounds[bisect_left(bounds, bounds[-1] - size)], bounds[-1]


def _bounds(units: Units, words: int, size: int, *, sentences: bool) -> list[int]:
    """Return the argument `bounds` of `pack`: the index of each unit's first word, then `words`.

    The line below the header of a table (such as `|---|---|`) is in the unit of the word before the
    line, if `size` allows.

    words:     number of words of the text.
    sentences: False: each word is a unit. True: `units` are used, but a unit of more than `size`
               words is divided into words.
    """
    bounds = [0]
    for word in [*(units.starts if sentences else ()), words]:
        if word - bounds[-1] > size or not sentences:
            for inner in range(bounds[-1] + 1, word):
                if inner not in units.ruled or inner - bounds[-1] >= size:
                    bounds.append(inner)
        bounds.append(word)
    return bounds


@cache
def _word_pattern() -> re.Pattern[str]:
    # Punctuation stays with the character it follows: "京。" is one word.
    character = rf"[{SPACELESS}](?:(?![\0-\x7f])[{marks()}])*[^\s\w]{{0,8}}"
    return re.compile(rf"{character}|[^\s{SPACELESS}]{{1,{LONGEST_WORD}}}")
