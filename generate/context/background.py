"""Puts texts that a model generated into the context of an answer, beside the passages.

A generated text has no number, so that nothing can cite it. Its tokens count towards the token
budget. If it has more tokens than its part of the budget, it is cut at the end of a sentence.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain, zip_longest

from ...core.answers import LeftOut, Reason, Source
from ...encoders.passages.sentences import sentence_ends
from ..protocol import Combine
from .copies import Shingles, repeats, shingles
from .sizes import Size


def fit_background(
    texts: Sequence[str], budget: int, size: Size
) -> tuple[list[Source], list[LeftOut]]:
    """Return (the generated texts as sources, the texts that are left out).

    budget: maximum number of tokens of all texts together.
    size:   returns the number of tokens of a source in the prompt.

    Each text gets an equal part of the tokens that earlier texts have left. A text that is too long
    is cut after a sentence. A text is left out if its first sentence does not fit, if it is empty,
    or if it is a near-copy of an earlier text.
    """
    found: list[Source] = []
    left_out: list[LeftOut] = []
    known: list[tuple[int, Shingles]] = []
    left = budget
    for number, text in enumerate(texts, 1):
        own = shingles(text)
        copy_of = next((rank for rank, other in known if repeats(own, other)), None)
        if not text.strip() or copy_of is not None:
            reason: Reason = "empty" if copy_of is None else "copy"
            left_out.append(
                LeftOut(number, "", 0, len(text), reason, copy_of=copy_of, kind="generated")
            )
            continue
        source = _fitted(text, left // (len(texts) - number + 1), size)
        if source.tokens > left // (len(texts) - number + 1):
            left_out.append(
                LeftOut(number, "", 0, len(text), "budget", source.tokens, kind="generated")
            )
            continue
        left -= source.tokens
        known.append((number, own))
        found.append(source)
    return found, left_out


def combined(
    generated: Sequence[Source], documents: Sequence[Source], combine: Combine
) -> list[Source]:
    """Return generated texts and documents in the order of the prompt."""
    if combine == "generated_first":
        return [*generated, *documents]
    if combine == "retrieved_first":
        return [*documents, *generated]
    pairs = chain.from_iterable(zip_longest(generated, documents))
    return [one for one in pairs if one is not None]


def _fitted(text: str, budget: int, size: Size) -> Source:
    """Return as many sentences from the start of a text as fit; at least the first."""

    def source(end: int, tokens: int = 0) -> Source:
        part = text[:end].strip()
        cut = bool(text[end:].strip())
        return Source(0, "", part, 0, len(part), tokens=tokens, cut=cut, kind="generated")

    def tokens_of(end: int) -> int:
        return size(source(end))

    ends = [*(end for end in sentence_ends(text) if end < len(text)), len(text)]
    end = ends[-1]
    if tokens_of(end) > budget:
        end = ends[max(0, bisect_right(ends, budget, key=tokens_of) - 1)]
    return source(end, tokens_of(end))
