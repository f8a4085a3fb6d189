"""Checks texts that a model generated against the sources: which claims does a source support?"""

from __future__ import annotations

from .support import Support, sentences


def supported_share(text: str, support: Support, least: float) -> float:
    """Return the share, from 0 to 1, of a generated text's sentences that a source supports.

    support: finds quotes in the sources.
    least:   minimum `Quote.support`.

    A source supports a sentence if one of its quotes contains every number and name of the
    sentence, and the `Quote.support` of this quote is `least` or more. Only words are compared; no
    entailment model is used. Returns 0 if there are no sources or no sentences.
    """
    spans = sentences(text)
    if not spans:
        return 0.0
    supported = 0
    for start, end in spans:
        quotes = (support.quote(number, text[start:end]) for number in support.numbers)
        supported += any(one.support >= least and not one.missing for one in quotes)
    return supported / len(spans)
