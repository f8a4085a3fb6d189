"""Splitting long documents into passages by words or sentences.

A word is a run of characters without white space, with two exceptions, so that text without spaces
does not become one giant passage. Each character of a script without spaces (Chinese, Japanese,
Korean, Thai, ...) is a word. A longer run counts as one word for every `LONGEST_WORD` characters.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache

from ...core import ConfigError, InvalidInputError, Passage
from ..scripts import SPACELESS, marks
from .config import PassageConfig

LONGEST_WORD = 40

MOST_PASSAGES = 20_000
"""Most passages of one document. A document with more is rejected before encoding."""

_ABBREVIATION = re.compile(
    r"(?i:al|approx|bzw|ca|cf|co|corp|dept|dr|e\.g|eds?|eqs?|etc|figs?|gen|gov|hr|i\.e|inc|jr|lt|ltd"
    r"|mrs?|ms|nr|op|pp?|prof|refs?|rev|sec|sen|sgt|sr|st|usw|vgl|viz|vol|vs|z\.b)|[^\W\d_a-z]"
)
"""An abbreviation or initial, without its period. The period after it does not end a sentence."""


def split_passages(text: str, config: PassageConfig | None = None) -> list[Passage]:
    """Split `text` into overlapping passages, in order. Return [] if it stays whole.

    A text stays whole if `unit` is "none", or if it has at most `threshold` or at most `size`
    words. Otherwise every word is in a passage, and no passage has more than `size` words.

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
            "the unit 'tokens' requires encoders: use split_by_tokens, or the unit 'words' or "
            "'sentences'",
            field="passages.unit",
        )
    spans = word_spans(text)
    if len(spans) <= max(config.threshold, size):
        return []
    starts = [start for start, _ in spans]
    ends = sentence_bounds(text, starts) if config.unit == "sentences" else []
    bounds = _unit_bounds(text, starts, ends, size)
    found: list[Passage] = []
    for first, stop in pack(bounds, size, config.overlap):
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


def pack(bounds: Sequence[int], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Group adjacent units, and yield the range [first, stop) of words or tokens of each group.

    A unit is a sentence or a word. A group has at most `size` words or tokens, and shares whole
    units of at most `overlap` with the previous group. The last group may share more.

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


def sentence_bounds(text: str, starts: Sequence[int]) -> list[int]:
    """Return the index of the first word of each sentence except the first, ascending.

    No sentence starts in the line below the header of a table. starts: offset of each word in
    `text`.
    """
    # A period and the empty line after it end the same sentence.
    found = dict.fromkeys(bisect_left(starts, end) for end in _sentence_ends(text))
    ruled = table_rules(text, starts)
    return [word for word in found if word not in ruled]


def table_rules(text: str, starts: Sequence[int]) -> set[int]:
    """Return the indices of the words in the lines below the headers of Markdown tables.

    Such a line has `-` and `|` and nothing but `-:|` and white space. No passage starts in it.
    starts: offset of each word in `text`.
    """
    found: set[int] = set()
    for line in _TABLE_RULE.finditer(text):
        if "-" in line[0] and "|" in line[0]:
            found.update(range(bisect_left(starts, line.start()), bisect_left(starts, line.end())))
    return found


def _unit_bounds(
    text: str, starts: Sequence[int], sentences: Sequence[int], size: int
) -> list[int]:
    """Return the index of the first word of each unit, then the total number of words.

    A unit is a sentence of at most `size` words, or one word of a longer sentence. The line below
    the header of a table is in the unit of the word before it, as far as `size` allows.
    sentences: see `sentence_bounds`.
    """
    ruled = table_rules(text, starts)
    bounds = [0]
    for word in [*sentences, len(starts)]:
        if word - bounds[-1] > size:
            for inner in range(bounds[-1] + 1, word):
                if inner not in ruled or inner - bounds[-1] >= size:
                    bounds.append(inner)
        if word > bounds[-1]:
            bounds.append(word)
    return bounds


_SENTENCE_END = re.compile(
    r"""(?<![.!?…])(?P<points>[.!?…]+)["'”’»)\]]*(?=\s)  # a period and closing marks
        |[。！？｡]+[」』”’）】》]*
        |\n[^\S\n]*\n                             # an empty line
    """,
    re.VERBOSE,
)
_TABLE_RULE = re.compile(r"^[-:| \t\r]++$", re.MULTILINE)
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]*$")
_NEXT_WORD = re.compile(r"\s*[\"'“‘«(\[]*(\w?)")


def _sentence_ends(text: str) -> Iterator[int]:
    """Yield the offset of the end of each sentence, ascending."""
    for match in _SENTENCE_END.finditer(text):
        if not (match["points"] and _sentence_continues(text, match)):
            yield match.end()


def _sentence_continues(text: str, end: re.Match[str]) -> bool:
    """Return True if the sentence continues after the punctuation that `end` matched.

    It continues before a lower-case letter, and if one period follows an abbreviation.
    """
    follows = _NEXT_WORD.match(text, end.end())
    if follows is not None and follows[1].islower():
        return True
    before = _LAST_WORD.search(text, max(0, end.start() - LONGEST_WORD), end.start())
    if before is None or end["points"] != ".":
        return False
    return _ABBREVIATION.fullmatch(before.group()) is not None


@cache
def _word_pattern() -> re.Pattern[str]:
    # Punctuation stays with the character it follows: "京。" is one word.
    character = rf"[{SPACELESS}](?:(?![\0-\x7f])[{marks()}])*[^\s\w]{{0,8}}"
    return re.compile(rf"{character}|[^\s{SPACELESS}]{{1,{LONGEST_WORD}}}")
