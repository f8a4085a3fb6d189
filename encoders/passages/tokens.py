"""Cutting a document so that every encoder reads all of each passage.

Whole sentences are packed by the tokens of the encoder that reads the least. Then every encoder
counts what it would read of each passage, with prompt, title and special tokens; a passage that is
too long for one of them is halved. So the result is exact whatever a tokenizer does at a cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ...core import InvalidInputError, Passage
from ..protocol import TokenReader
from .config import PassageConfig
from .passages import MOST_PASSAGES, pack, sentence_bounds, split_passages, word_spans

MOST_TOKENS = 512
"""In a passage's text unless the configuration says otherwise: an encoder that reads a whole book
makes one vector of it."""


def split_by_tokens(
    text: str, config: PassageConfig, readers: Sequence[TokenReader], *, title: str = ""
) -> list[Passage]:
    """Cut `text` into passages, in order; an empty list means: index it whole.

    Without readers (no encoder has a limit) a word counts as a token, and a document of up to 512
    words stays whole unless a size is given. Each character but white space is in a passage. An
    encoder reads less than a whole passage only if prompt and title take more than half of what it
    reads, or leave no room for one character. Raises InvalidInputError for more than
    `MOST_PASSAGES` passages.
    """
    if not readers:
        return split_passages(text, counted_by_words(config))
    rooms = _rooms(config, readers, title)
    if not text.strip() or _fits([(0, len(text))], text, title, rooms)[0]:
        return []
    reader, limit, around = min(rooms, key=lambda one: one[1])
    room = max(1, limit - around)
    pieces = _packed(text, reader, room, min(config.overlap, room // 2))
    done: list[tuple[int, int]] = []
    while pieces:
        if len(done) + len(pieces) > MOST_PASSAGES:
            raise InvalidInputError(
                f"the text would be cut into more than {MOST_PASSAGES:,} passages: "
                "choose larger passages (passages.size) or divide the document",
                field="text",
            )
        fits = _fits(pieces, text, title, rooms)
        whole = [piece for piece, fit in zip(pieces, fits, strict=True) if fit]
        rest = [piece for piece, fit in zip(pieces, fits, strict=True) if not fit]
        done += whole + [piece for piece in rest if piece[1] - piece[0] == 1]
        pieces = [
            part for piece in rest if piece[1] - piece[0] > 1 for part in _halves(text, piece)
        ]
    # Pieces that overlap may have equal halves.
    return [Passage(start, end) for start, end in sorted(set(done))]


def counted_by_words(config: PassageConfig) -> PassageConfig:
    """What cutting by tokens means where no encoder has a limit."""
    words = PassageConfig(unit="words")
    if config.size is None:
        return words.model_copy(update={"overlap": config.overlap})
    return words.model_copy(update={"size": config.size, "overlap": config.overlap, "threshold": 0})


Room = tuple[TokenReader, int, int]
"""A reader, tokens that a passage may have with prompt and title, and tokens of these alone."""


def _rooms(config: PassageConfig, readers: Sequence[TokenReader], title: str) -> list[Room]:
    """What each reader can take of a document with this title.

    A text may have half of what the encoder reads, however long the title is.
    """
    rooms = []
    for reader in readers:
        around = reader.lengths([title])[0]
        room = max(reader.limit - around, reader.limit // 2)
        rooms.append((reader, around + min(config.size or MOST_TOKENS, room), around))
    return rooms


def _packed(text: str, reader: TokenReader, room: int, overlap: int) -> list[tuple[int, int]]:
    """Ranges of characters of about `room` tokens: whole sentences where they fit, else words."""
    spans = word_spans(text)
    around = reader.lengths([""])[0]

    def tokens(bounds: Sequence[int]) -> list[int]:
        units = [text[spans[first][0] : spans[stop - 1][1]] for first, stop in pairwise(bounds)]
        return [max(1, length - around) for length in reader.lengths(units)]

    sentences = sentence_bounds(text, [begin for begin, _ in spans])
    sentences = [0, *(word for word in sentences if 0 < word < len(spans)), len(spans)]
    bounds, places = [0], [0]  # The words and the tokens before each unit.
    for (first, stop), count in zip(pairwise(sentences), tokens(sentences), strict=True):
        units, counts = [stop], [count]
        if count > room:
            words = range(first, stop + 1)
            units, counts = list(words[1:]), tokens(words)
        for unit, own in zip(units, counts, strict=True):
            bounds.append(unit)
            places.append(places[-1] + min(own, room))  # A longer word is halved later.
    at = dict(zip(places, bounds, strict=True))
    return [
        (spans[at[first]][0], spans[at[stop] - 1][1]) for first, stop in pack(places, room, overlap)
    ]


def _fits(
    pieces: Sequence[tuple[int, int]],
    text: str,
    title: str,
    rooms: Sequence[Room],
) -> list[bool]:
    read = [f"{title} {text[start:end]}".strip() for start, end in pieces]
    fits = [True] * len(read)
    for reader, limit, _ in rooms:
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
