"""Reads the items of a JSON array as a stream."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from ...core import SourceError
from ..lines import MAX_LINE, reading

_PIECE = 1 << 16
_TOKEN = 16
"""Number of characters at the end of the buffer that may be an incomplete token, such as
`-Infinity` or an escaped surrogate pair."""
_BLANKS = re.compile(r"[ \t\r\n]*")


def is_array(path: Path) -> bool:
    """Return True if the first non-blank character of the file is `[`."""
    with reading(path) as file:
        return file.read(_PIECE).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def read_array(path: Path) -> Iterator[tuple[int, object]]:
    """Yield (line number, value) for each item of the JSON array in a file.

    The line number, from 1, is the number of the item's first line.

    Raises SourceError, with the line, if the file contains anything other than one array, or if an
    item has more than 2 x `MAX_LINE` characters.
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
    """A buffer of text from a file, with the position of the next character and its line number."""

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
            self.fail(f"this item or the next is not UTF-8 ({error.reason}); convert it to UTF-8")

    def _more(self) -> bool:
        for piece in self._pieces:
            if piece:
                self._text = self._text[self._at :] + piece
                self._at = 0
                return True
        return False

    def next(self) -> str:
        """Skip blanks and return the next character without using it; "" at the end of the file."""
        while True:
            match = _BLANKS.match(self._text, self._at)
            self._use(match.end() if match else self._at)
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def expect(self, character: str) -> None:
        if (found := self.next()) != character:
            self.fail(
                f"expected `{character}`, got {found!r}"
                if found
                else "the array is cut off; check that the file is complete"
            )
        self._use(self._at + 1)

    def item(self) -> tuple[int, object]:
        self.next()
        tried, more = 0, True
        while True:
            # Each attempt parses from the start, so the text doubles before the next one.
            if not more or len(self._text) - self._at >= 2 * tried:
                tried = len(self._text) - self._at
                try:
                    value, end = self._decoder.raw_decode(self._text, self._at)
                    if end < len(self._text):
                        line = self._line
                        self._use(end)
                        return line, value
                    problem, position = "the array is cut off; check that the file is complete", end
                except json.JSONDecodeError as error:
                    problem, position = f"the array is not valid JSON ({error.msg})", error.pos
                    if not self._may_be_cut(error):
                        more = False
                except RecursionError:
                    self.fail("the item is nested too deeply; use fewer levels")
                except ValueError as error:  # An integer of thousands of digits.
                    self.fail(f"the item contains an invalid number ({error})")
                if not more:
                    self._use(position)
                    self.fail(problem)
            if len(self._text) - self._at > 2 * MAX_LINE:
                self.fail(f"an item has more than {2 * MAX_LINE:,} characters; split the item")
            more = self._more()

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Return True if an error may only mean that the buffer ends inside an item."""
        at_end = error.pos > len(self._text) - _TOKEN
        # The position of an unterminated string is its start.
        return at_end or error.msg.startswith("Unterminated")

    def _use(self, end: int) -> None:
        """Advance the position to `end`, and the line number with it."""
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _refuse(self, constant: str) -> NoReturn:
        self.fail(f"{constant} is not a JSON value; use a finite number or null")

    def fail(self, message: str) -> NoReturn:
        raise SourceError(message, path=self._path, line=self._line)
