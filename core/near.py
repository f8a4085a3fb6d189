"""Suggests the known name that is most similar to an unknown name, for error messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

_COMPARED = 100
"""Maximum number of characters of a name that are compared, because the comparison is slow."""
_KNOWN = 1_000
"""Maximum number of known names that are compared."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name in `known` that is most similar to `name`; None if none is similar.

    Upper and lower case count as equal.
    """
    names = {one.lower()[:_COMPARED]: one for one in islice(known, _KNOWN)}
    found = get_close_matches(name.lower()[:_COMPARED], names, 1)
    return names[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], quote: str = "'") -> str:
    """Return `; did you mean 'NAME'?` for the end of an error message.

    NAME is the name in `known` that is most similar to `name`. Returns "" if none is similar.
    quote: text before and after NAME.
    """
    near = nearest(name, known)
    return "" if near is None else f"; did you mean {quote}{near}{quote}?"
