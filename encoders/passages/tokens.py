"""Splitting documents into passages that every encoder can read completely.

First, whole sentences are packed into passages, measured in tokens of the encoder with the lowest
limit. Then each encoder counts the tokens of every passage, with prompt, title and special tokens.
A passage that is too long for one of the encoders is halved. So passages fit even if a tokenizer
cuts words differently at the ends of a passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ...core import InvalidInputError, Passage
from ...core.types import MOST_PASSAGES
from ...sources.structure import Outline, outline
from ..protocol import TokenReader
from .config import PassageConfig
from .passages import packed, split_passages, word_spans
from .preface import Preface, preface
from .units import find_units, table_rules

MOST_TOKENS = 512
"""Default limit of a passage's text, in tokens. Without it, an encoder with a very high limit would
encode a whole book as one vector."""


def split_by_tokens(
    text: str,
    config: PassageConfig,
    readers: Sequence[TokenReader],
    *,
    title: str = "",
    structure: Outline | None = None,
) -> list[Passage]:
    """Split `text` into passages, in order. Return [] if it stays whole.

    readers: token counters of the encoders. If there are none, a word counts as a token, and a
             document of up to 512 words stays whole unless a size is configured.
    title:   the document's title, which encoders read before each passage.
    structure: outline of the text. It is ignored if `config.structure` and `config.headings` are
             both False. None: the outline is computed, as for Markdown.

    Passages cover all text but white space. An encoder truncates a passage only if prompt and title
    take more than half of the encoder's limit, or leave no room for one character.

    Raises InvalidInputError for more than `MOST_PASSAGES` passages.
    """
    if not readers:
        return split_passages(text, counted_by_words(config), structure)
    if structure is None and (config.structure or config.headings):
        structure = outline(text)
    above = preface(title, structure if config.headings else None)
    limits = _limits(config, readers, above.longest)
    if not text.strip() or _fits([(0, len(text))], text, above, limits)[0]:
        return []
    reader, limit, around = min(limits, key=lambda one: one[1])
    room = max(1, limit - around)
    used = structure if config.structure else None
    pieces = _packed(text, reader, room, min(config.overlap, room // 2), used)
    done: list[tuple[int, int]] = []
    while pieces:
        if len(done) + len(pieces) > MOST_PASSAGES:
            raise InvalidInputError(
                f"the text would be split into more than {MOST_PASSAGES:,} passages: "
                "choose larger passages (passages.size) or divide the document",
                field="text",
            )
        fits = _fits(pieces, text, above, limits)
        whole = [piece for piece, fit in zip(pieces, fits, strict=True) if fit]
        rest = [piece for piece, fit in zip(pieces, fits, strict=True) if not fit]
        done += whole + [piece for piece in rest if piece[1] - piece[0] == 1]
        pieces = [
            part for piece in rest if piece[1] - piece[0] > 1 for part in _halves(text, piece)
        ]
    # Overlapping pieces may have equal halves.
    return [Passage(start, end) for start, end in sorted(set(done))]


def counted_by_words(config: PassageConfig) -> PassageConfig:
    """Return a copy of the configuration with the unit "words" instead of "tokens".

    `split_by_tokens` uses the copy if no encoder has a limit of tokens. If no size is configured,
    and the overlap is not smaller than the default size, the overlap becomes half of this size.
    """
    words = PassageConfig(unit="words", structure=config.structure, headings=config.headings)
    if config.size is None:
        assert words.size is not None, "passages of words have a size"
        fits = config.overlap < words.size
        return words.model_copy(update={"overlap": config.overlap if fits else words.size // 2})
    return words.model_copy(update={"size": config.size, "overlap": config.overlap, "threshold": 0})


Limit = tuple[TokenReader, int, int]
"""(token counter of an encoder, maximum number of tokens of a passage together with the text that
the encoder reads before it, number of tokens of this text alone)."""


def _limits(config: PassageConfig, readers: Sequence[TokenReader], before: str) -> list[Limit]:
    """Return for each reader how many tokens a passage may have.

    A passage may always fill half of the encoder's limit, even after a long title.

    before: text that encoders read before a passage.
    """
    limits = []
    for reader in readers:
        around = reader.lengths([before])[0]
        room = max(reader.limit - around, reader.limit // 2)
        limits.append((reader, around + min(config.size or MOST_TOKENS, room), around))
    return limits


def _packed(
    text: str, reader: TokenReader, room: int, overlap: int, structure: Outline | None
) -> list[tuple[int, int]]:
    """Split `text` into passages of about `room` tokens, and return their character ranges.

    A passage consists of whole units, or of words if a unit does not fit. It shares at most
    `overlap` tokens with the previous passage of its section. The last passage of a section may
    share more.

    structure: outline of the text. None: units are sentences only.
    """
    spans = word_spans(text)
    around = reader.lengths([""])[0]

    def tokens(bounds: Sequence[int]) -> list[int]:
        units = [text[spans[first][0] : spans[stop - 1][1]] for first, stop in pairwise(bounds)]
        return [max(1, length - around) for length in reader.lengths(units)]

    units = find_units(text, [begin for begin, _ in spans], structure)
    whole = [0, *units.starts, len(spans)]
    bounds, starts = [0], [0]  # The number of words and of tokens before each unit.
    for (first, stop), count in zip(pairwise(whole), tokens(whole), strict=True):
        ends, counts = [stop], [count]
        if count > room:
            inner = (word for word in range(first + 1, stop) if word not in units.ruled)
            words = [first, *inner, stop]
            ends, counts = words[1:], tokens(words)
        for unit, own in zip(ends, counts, strict=True):
            bounds.append(unit)
            starts.append(starts[-1] + min(own, room))  # A longer word is halved later.
    at = dict(zip(starts, bounds, strict=True))
    before = dict(zip(bounds, starts, strict=True))
    sections = [(before[word], level) for word, level in units.sections]
    return [
        (spans[at[first]][0], spans[at[stop] - 1][1])
        for first, stop in packed(starts, sections, room, overlap)
    ]


def _fits(
    pieces: Sequence[tuple[int, int]],
    text: str,
    above: Preface,
    limits: Sequence[Limit],
) -> list[bool]:
    """Return, for each piece (a character range of `text`), whether all encoders read all of it."""
    read = [above.read(text, start, end) for start, end in pieces]
    fits = [True] * len(read)
    for reader, limit, _ in limits:
        fits = [fit and n <= limit for fit, n in zip(fits, reader.lengths(read), strict=True)]
    return fits


def _halves(text: str, piece: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the two halves of a piece, as character ranges of `text`.

    If the piece has several words, it is split between two words, and the white space between them
    is in neither half. If possible, the second half does not start in the line below the header of
    a table (such as `|---|---|`).
    """
    start, end = piece
    words = word_spans(text[start:end])
    if len(words) > 1:
        ruled = table_rules(text[start:end], [begin for begin, _ in words])
        cuts = [word for word in range(1, len(words)) if word not in ruled]
        half = len(words) // 2
        middle = min(cuts, key=lambda word: abs(word - half), default=half)
        return [(start, start + words[middle - 1][1]), (start + words[middle][0], end)]
    middle = (start + end) // 2
    return [(start, middle), (middle, end)]
