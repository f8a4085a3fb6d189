"""The units of a text that a passage should keep whole, and the sections that it should not mix.

A unit is a sentence. If the structure of the text is used, a unit is also a row of a table, a line
of code or an item of a list, and a heading belongs to the unit that follows it. A section begins
with a heading.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from ...sources.structure import Outline, items, whole_lines
from .sentences import sentence_ends

Ranges = Sequence[tuple[int, int]]

_TABLE_RULE = re.compile(r"^[-:| \t\r]++$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Units:
    """How a text of n words may be divided.

    starts:   index of the first word of each unit except the first, ascending, from 1 to n - 1.
    sections: (index of the first word, level of the heading) of each section, ascending. The text
              before the first heading has the level 0. If the structure of the text is not used,
              there is one section.
    ruled:    indices of the words in delimiter rows of tables, such as `|---|---|`. No unit begins
              in these rows.
    """

    starts: Sequence[int]
    sections: Ranges
    ruled: Set[int]


def find_units(text: str, words: Sequence[int], found: Outline | None) -> Units:
    """Return the units of a text.

    words: offset of each word in `text`, ascending.
    found: the outline of the text; None: its structure is not used.
    """
    ruled = table_rules(text, words)
    if found is None:
        return Units(_first_words(sentence_ends(text), words, ruled), [(0, 0)], ruled)
    kept = unit_offsets(text, found)
    glued: set[int] = set()
    sections = [(0, 0)]
    for heading in found.headings:
        first, body = bisect_left(words, heading.start), bisect_left(words, heading.end)
        if first == len(words):
            break
        if first == 0:
            sections = [(0, heading.level)]
        elif first not in glued:  # Else it follows another heading directly.
            sections.append((first, heading.level))
        glued.update(range(first + 1, body + 1))
    ruled.difference_update(first for first, _ in sections)
    return Units(_first_words(kept, words, ruled | glued), sections, ruled)


def unit_offsets(text: str, found: Outline) -> set[int]:
    """Return the offsets in `text` at which a unit begins or ends.

    found: the outline of the text.
    """
    whole = list(whole_lines(text, found))
    # A sentence that ends inside a row, or directly after a heading, ends no unit.
    headings = ((heading.start, heading.end) for heading in found.headings)
    kept = set(_outside([*whole, *headings], sentence_ends(text)))
    kept.update(_outside(whole, items(text, found.written)))
    for start, end in whole:
        kept.update((start, end))
        kept.update(_line_starts(text, start, end))
    kept.update(heading.start for heading in found.headings)
    kept.update(found.pages)
    return kept


def grouped(sections: Ranges, total: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the range [first, stop) of each group of adjacent sections.

    A group is one section, or several short sections: together they have at most `size` words or
    tokens, and no section has a heading of a higher rank than the first section.

    sections: (position of the first word or token, level of the heading) of each section.
    total:    number of all words or tokens.
    """
    if not sections:
        return
    first, level = sections[0]
    for (start, own), (stop, _) in pairwise([*sections, (total, 0)]):
        if start > first and (stop - first > size or own < level):
            yield first, start
            first, level = start, own
    yield first, total


def table_rules(text: str, words: Sequence[int]) -> set[int]:
    """Return the indices of the words in the delimiter rows of Markdown tables.

    A delimiter row is the line below the headers, such as `|---|---|`. It contains `-` and
    `|`, and otherwise only `:` and white space. No passage starts in it.

    words: offset of each word in `text`, ascending.
    """
    found: set[int] = set()
    for line in _TABLE_RULE.finditer(text):
        if "-" in line[0] and "|" in line[0]:
            found.update(range(bisect_left(words, line.start()), bisect_left(words, line.end())))
    return found


def _first_words(offsets: Iterable[int], words: Sequence[int], without: Set[int]) -> list[int]:
    """Return the index of the first word at or after each offset, ascending, without duplicates.

    Leaves out the first word of the text and the words in `without`.
    """
    found = {bisect_left(words, offset) for offset in offsets}
    return sorted(found - {0, len(words)} - without)


def _outside(ranges: Ranges, offsets: Iterable[int]) -> Iterator[int]:
    """Yield the offsets that are in none of the ranges.

    The end of a range counts as part of the range, but its start does not.
    """
    ordered = sorted(ranges)
    starts = [start for start, _ in ordered]
    for offset in offsets:
        at = bisect_right(starts, offset - 1) - 1
        if at < 0 or offset > ordered[at][1]:
            yield offset


def _line_starts(text: str, start: int, end: int) -> Iterator[int]:
    """Yield the offset of each line that begins between the offsets `start` and `end`."""
    while (start := text.find("\n", start, end) + 1) > 0:
        yield start
