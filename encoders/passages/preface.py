"""What encoders read before a passage: the title of its document, and perhaps headings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...sources.structure import Outline


@dataclass(frozen=True, slots=True)
class Preface:
    """What encoders read before the passages of a document: its title, and perhaps headings.

    before:  function from the offset of a passage to the text that encoders read before it.
    longest: the longest text that `before` returns for this document.
    """

    before: Callable[[int], str]
    longest: str

    def read(self, text: str, start: int, end: int) -> str:
        """Return what encoders read for the passage `start` to `end` of the document's text."""
        return f"{self.before(start)} {text[start:end]}".strip()


def preface(title: str, headings: Outline | None = None) -> Preface:
    """Return what encoders read before the passages of a document.

    Encoders read the title, then the headings above the passage. A heading that equals the title is
    left out.

    headings: the outline of the document's text. None: encoders read only the title.
    """
    if headings is None:
        return Preface(lambda _: title, title)
    above = headings.above

    def before(start: int) -> str:
        return " ".join([title, *(one for one in above(start) if one != title)]).strip()

    starts = [0, *(heading.end for heading in headings.headings)]
    return Preface(before, max(map(before, starts), key=len))
