"""What encoders read before a passage: the title of its document, and perhaps headings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...sources.structure import Markup, outline


@dataclass(frozen=True, slots=True)
class Preface:
    """What encoders read before the passages of a document: its title, and perhaps headings.

    before:  function that returns the text before a passage, from the offset of the passage.
    longest: the longest of these texts in the document.
    """

    before: Callable[[int], str]
    longest: str

    def read(self, text: str, start: int, end: int) -> str:
        """Return what encoders read for the passage `start` to `end` of the document's text."""
        return f"{self.before(start)} {text[start:end]}".strip()


def preface(text: str, title: str, written: Markup, *, headings: bool) -> Preface:
    """Return what encoders read before the passages of a document: its title.

    With `headings`, the headings above the passage follow the title, except a heading that equals
    the title.

    written: markup of the text, in which headings are found.
    """
    if not headings:
        return Preface(lambda _: title, title)
    found = outline(text, written)

    def before(start: int) -> str:
        return " ".join([title, *(one for one in found.above(start) if one != title)]).strip()

    starts = [0, *(heading.end for heading in found.headings)]
    return Preface(before, max(map(before, starts), key=len))
