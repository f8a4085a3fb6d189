"""Finds the ends of sentences in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONGEST_WORD = 40
"""Number of characters before a period in which an abbreviation is searched for."""

_ABBREVIATION = re.compile(
    r"(?i:al|approx|bzw|ca|cf|co|corp|dept|dr|e\.g|eds?|eqs?|etc|figs?|gen|gov|hr|i\.e|inc|jr|lt|ltd"
    r"|mrs?|ms|nr|op|pp?|prof|refs?|rev|sec|sen|sgt|sr|st|usw|vgl|viz|vol|vs|z\.b)|[^\W\d_a-z]"
)
"""An abbreviation or initial, without its period. The period after it does not end a sentence."""
_SENTENCE_END = re.compile(
    r"""(?<![.!?…])(?P<points>[.!?…]+)["'”’»)\]]*(?=\s)  # a period and closing marks
        |[。！？｡]+[」』”’）】》]*
        |\n[^\S\n]*\n                             # an empty line
    """,
    re.VERBOSE,
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]*$")
_NEXT_WORD = re.compile(r"\s*[\"'“‘«(\[]*(\w?)")


def sentence_ends(text: str) -> Iterator[int]:
    """Yield the offset of the end of each sentence, ascending."""
    for match in _SENTENCE_END.finditer(text):
        if not (match["points"] and _sentence_continues(text, match)):
            yield match.end()


def _sentence_continues(text: str, end: re.Match[str]) -> bool:
    """Return True if the sentence continues after the punctuation that `end` matched.

    It continues if a lower-case letter follows, or if the punctuation is the single period of an
    abbreviation.
    """
    follows = _NEXT_WORD.match(text, end.end())
    if follows is not None and follows[1].islower():
        return True
    before = _LAST_WORD.search(text, max(0, end.start() - _LONGEST_WORD), end.start())
    if before is None or end["points"] != ".":
        return False
    return _ABBREVIATION.fullmatch(before.group()) is not None
