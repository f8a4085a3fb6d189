"""Character classes for splitting text into words and passages, as regex fragments.

Use them between square brackets: `f"[{SPACELESS}]"`, or `f"[^\\W_{SPACELESS}]"` for word characters
of all other scripts.
"""

from __future__ import annotations

import unicodedata
from functools import cache

SPACELESS = (
    "\u0e01-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17d3"  # Khmer
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"  # kana, iteration marks
    "\u31f0-\u31ff\uff66-\uff9d"  # small and half-width katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
    "\uac00-\ud7a3"  # Hangul syllables: spaced by phrase, not by word
)
"""Scripts written without spaces between words. No regex can find their word boundaries."""

HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"

INVISIBLE = "\u00ad\u200c\u200d\u2060"
"""Soft hyphen and joiners. They may occur inside a word and are ignored in search."""


@cache
def marks() -> str:
    """Return one string of combining marks (Unicode category M), kana sound marks and `INVISIBLE`.

    Patterns for words need these characters, because `\\w` does not match combining marks.
    """
    # All marks are in these planes (symbols and Han follow from 0x1f000).
    blocks = (range(0x300, 0x1F000), range(0xE0100, 0xE01F0))
    found = (chr(c) for b in blocks for c in b if unicodedata.category(chr(c))[0] == "M")
    return "".join(found) + "\uff9e\uff9f" + INVISIBLE
