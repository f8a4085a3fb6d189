"""Checks texts that a model generated against the sources: which claims does a source support?"""

from __future__ import annotations

from .support import Support, sentences


def supported_share(text: str, support: Support, least: float) -> float:
    """Return the share of the sentences of a generated text that a source supports.

    A sentence is supported if a source of `support` has a quote with at least the support `least`
    that lacks no number and no name of the sentence. Only words are compared. 0 without sources.
    """
    spans = sentences(text)
    if not spans:
        return 0.0
    supported = 0
    for start, end in spans:
        quotes = (support.quote(number, text[start:end]) for number in support.numbers)
        supported += any(one.support >= least and not one.missing for one in quotes)
    return supported / len(spans)
