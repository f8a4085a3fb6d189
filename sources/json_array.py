"""Objects of one JSON array, read as a stream."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from ..core import SourceError
from .lines import MAX_LINE, reading

_PIECE = 1 << 16
_TOKEN = 16
"""Characters at the end of what was read that may be the beginning of something longer, such as
`-Infinity` or an escaped pair of surrogates."""
_BLANKS = re.compile(r"[ \t\r\n]*")


def is_array(path: Path) -> bool:
    """Whether the first character of the file that is not blank is `[`."""
    with reading(path) as file:
        return file.read(_PIECE).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def read_array(path: Path) -> Iterator[tuple[int, object]]:
    """(line on which it begins, value) of each item of the file's JSON array.

    An item of more than twice `MAX_LINE` characters is refused. Raises SourceError, with the line,
    for what is not such an array.
    """
    reader = _Reader(path)
    reader.expect("[")
    if reader.next() == "]":
        reader.expect("]")
    else:
        while True:
            yield reader.item()
            if reader.next() == "]":
                reader.expect("]")
                break
            reader.expect(",")
    if reader.next():
        reader.fail("expected the end of the file after the array")


class _Reader:
    """The text of a file that was read and not yet used, and the line on which it begins."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pieces = self._read()
        self._text = ""
        self._at = 0
        self._line = 1
        self._decoder = json.JSONDecoder(parse_constant=self._refuse)

    def _read(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            with reading(self._path) as file:
                while piece := file.read(_PIECE):
                    yield decoder.decode(piece)
                yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            self.fail(f"not UTF-8 in this item or the next: {error.reason}")

    def _more(self) -> bool:
        for piece in self._pieces:
            if piece:
                self._text = self._text[self._at :] + piece
                self._at = 0
                return True
        return False

    def next(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            match = _BLANKS.match(self._text, self._at)
            self._use(match.end() if match else self._at)
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def expect(self, character: str) -> None:
        if (found := self.next()) != character:
            self.fail(f"expected `{character}`, got {found!r}" if found else "the array is cut off")
        self._use(self._at + 1)

    def item(self) -> tuple[int, object]:
        self.next()
        tried, more = 0, True
        while True:
            # Each try begins anew, so the text doubles before the next one.
            if not more or len(self._text) - self._at >= 2 * tried:
                tried = len(self._text) - self._at
                try:
                    value, end = self._decoder.raw_decode(self._text, self._at)
                    if end < len(self._text):
                        line = self._line
                        self._use(end)
                        return line, value
                    problem, place = "the array is cut off", end
                except json.JSONDecodeError as error:
                    problem, place = f"not JSON: {error.msg}", error.pos
                    if not self._may_be_cut(error):
                        more = False
                except RecursionError:
                    self.fail("nested too deeply")
                except ValueError as error:  # An integer of thousands of digits.
                    self.fail(f"not a number that can be used: {error}")
                if not more:
                    self._use(place)
                    self.fail(problem)
            if len(self._text) - self._at > 2 * MAX_LINE:
                self.fail(f"an item has more than {2 * MAX_LINE:,} characters")
            more = self._more()

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the error may be that the item goes on behind the text."""
        at_end = error.pos > len(self._text) - _TOKEN
        return at_end or error.msg.startswith("Unterminated")  # A string: `pos` is its begin.

    def _use(self, end: int) -> None:
        """Step over the text up to `end`."""
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _refuse(self, constant: str) -> NoReturn:
        self.fail(f"{constant} is not JSON")

    def fail(self, message: str) -> NoReturn:
        raise SourceError(message, path=self._path, line=self._line)
