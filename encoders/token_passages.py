"""Cutting a document so that every encoder reads all of each passage.

Whole sentences are packed by the tokens of the shortest encoder. Then every encoder counts what it
would read of each passage, with prompt, title and special tokens; a passage that is too long for
one of them is halved. So the result is exact whatever a tokenizer does at a cut.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from ..core import InvalidInputError, Passage, PassageConfig
from .passages import MOST_PASSAGES, pack, sentence_bounds, split_passages, word_spans
from .protocol import TokenReader


def split_by_tokens(
    text: str, config: PassageConfig, readers: Sequence[TokenReader], *, title: str = ""
) -> list[Passage]:
    """Cut `text` into passages, in order; an empty list means: index it whole.

    Without readers (no encoder has a limit) the default cutting by words applies. Each character
    but white space is in a passage. A passage exceeds a limit only where prompt and title leave
    no room for one character. Raises InvalidInputError for more than `MOST_PASSAGES` passages.
    """
    if not readers:
        return split_passages(text, PassageConfig())
    if not text.strip() or _fits([(0, len(text))], text, config, readers, title)[0]:
        return []
    reader = min(readers, key=lambda one: one.limit)
    room = reader.limit - reader.lengths([title])[0]
    room = max(1, min(room, config.size or room))
    spans = word_spans(text)
    pieces = _packed(text, spans, reader.starts(text), room, min(config.overlap, room // 2))
    done: list[tuple[int, int]] = []
    while pieces:
        if len(done) + len(pieces) > MOST_PASSAGES:
            raise InvalidInputError(
                f"the text would be cut into more than {MOST_PASSAGES:,} passages: "
                "choose larger passages (passages.size) or divide the document",
                field="text",
            )
        fits = _fits(pieces, text, config, readers, title)
        whole = [piece for piece, fit in zip(pieces, fits, strict=True) if fit]
        rest = [piece for piece, fit in zip(pieces, fits, strict=True) if not fit]
        done += whole + [piece for piece in rest if piece[1] - piece[0] == 1]
        pieces = [
            part for piece in rest if piece[1] - piece[0] > 1 for part in _halves(text, piece)
        ]
    return [Passage(start, end) for start, end in sorted(done)]


def _packed(
    text: str, spans: Sequence[tuple[int, int]], starts: Sequence[int], room: int, overlap: int
) -> list[tuple[int, int]]:
    """Ranges of characters of about `room` tokens: whole sentences where they fit, else words."""
    begins = [begin for begin, _ in spans]
    counts = [bisect_left(starts, begin) for begin in begins] + [len(starts)]
    bounds = [0]
    for word in [*sentence_bounds(text, begins), len(begins)]:
        if counts[word] - counts[bounds[-1]] > room:
            bounds.extend(range(bounds[-1] + 1, word))
        if word > bounds[-1]:
            bounds.append(word)
    # In tokens, each unit at most `room`: a single word of more is clipped here and halved later.
    places = [0]
    for first, stop in pairwise(bounds):
        places.append(places[-1] + max(1, min(room, counts[stop] - counts[first])))
    at = dict(zip(places, bounds, strict=True))
    return [
        (spans[at[first]][0], spans[at[stop] - 1][1]) for first, stop in pack(places, room, overlap)
    ]


def _fits(
    pieces: Sequence[tuple[int, int]],
    text: str,
    config: PassageConfig,
    readers: Sequence[TokenReader],
    title: str,
) -> list[bool]:
    read = [f"{title} {text[start:end]}".strip() for start, end in pieces]
    fits = [True] * len(read)
    for reader in readers:
        limit = reader.limit
        if config.size is not None:
            limit = min(limit, config.size + reader.lengths([title])[0])
        fits = [fit and n <= limit for fit, n in zip(fits, reader.lengths(read), strict=True)]
    return fits


def _halves(text: str, piece: tuple[int, int]) -> list[tuple[int, int]]:
    """Two parts, cut between words if there are several; white space at the cut is in neither."""
    start, end = piece
    words = word_spans(text[start:end])
    if len(words) > 1:
        middle = len(words) // 2
        return [(start, start + words[middle - 1][1]), (start + words[middle][0], end)]
    middle = (start + end) // 2
    return [(start, middle), (middle, end)]
