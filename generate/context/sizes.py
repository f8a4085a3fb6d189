"""The number of tokens of a source in a prompt, remembered for passages that are found again."""

from __future__ import annotations

from collections.abc import Callable

from ...ask import Memory, digest
from ...core.answers import Source

REMEMBERED = 50_000
"""Maximum number of sources whose size is remembered."""

Count = Callable[[str], int]
"""Function that returns the number of tokens of a text."""

Render = Callable[[Source], str]
"""Function that returns a source as the prompt contains it, with its number and title."""

Size = Callable[[Source], int]
"""Function that returns the number of tokens of a source in the prompt."""


class Sizes:
    """Counts the tokens of sources. Thread-safe.

    count:  returns the number of tokens of a text.
    render: returns the text of a source. The text must depend only on the source's number, kind,
            title, headings and text.

    A tokenizer needs about a third of a millisecond for a passage, and hundreds of passages may be
    counted for a question. So the results are cached.
    """

    def __init__(self, count: Count, render: Render) -> None:
        self._count = count
        self._render = render
        self._known: Memory[int] = Memory(REMEMBERED)

    def __call__(self, source: Source) -> int:
        """Return the number of tokens of a source."""
        key = (source.number, source.kind, source.title, source.headings, digest(source.text))
        found = self._known.get(key)
        if found is None:
            found = self._count(self._render(source))
            self._known.put(key, found)
        return found
