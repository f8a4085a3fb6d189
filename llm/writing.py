"""A text as its tokens come: whole characters only, ended by stop strings that are never shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .protocol import Tokens

_BROKEN = "\ufffd"
"""What decoders write for bytes that are no character, or not yet."""

_CONTEXT = 8


def stopped(text: str, stop: Sequence[str], begin: int = 0) -> int | None:
    """Where the text ends because of the stop string that is complete first, None if none is.

    Of several that are complete at the same character the longest counts. `begin`: no stop string
    is complete up to here.
    """
    ends = []
    for string in stop:
        place = text.find(string, max(0, begin - len(string) + 1))
        if place >= 0:
            ends.append((place + len(string), place))
    return min(ends)[1] if ends else None


def safe(text: str, stop: Sequence[str]) -> int:
    """Characters of a text that no stop string can claim any more, whatever follows."""
    longest = max((len(string) for string in stop), default=1) - 1
    for begin in range(max(0, len(text) - longest), len(text)):
        if any(string.startswith(text[begin:]) for string in stop):
            return begin
    return len(text)


class Writing:
    """One text being written. `text` is what has come of it, `ended` whether a stop string came.

    decode: tokens to text; called with the last few tokens only.
    prompt: what is continued; many decoders take a space from the head of a text, which would be
            lost at the head of the continuation.
    """

    def __init__(self, decode: Callable[[Tokens], str], prompt: Tokens, stop: Sequence[str]):
        self.text = ""
        self.ended = False
        self._decode = decode
        self._stop = stop
        self._before = list(prompt[-_CONTEXT:])  # tokens whose text is known, as context
        self._known = len(decode(self._before))
        self._new: list[int] = []  # tokens whose text may be half a character
        self._taken = 0

    def add(self, token: int) -> None:
        self._new.append(token)
        piece = self._decode([*self._before, *self._new])[self._known :]
        if piece and not piece.endswith(_BROKEN):
            self._write(piece)
            self._before, self._new = self._new, []
            self._known = len(self._decode(self._before))

    def close(self) -> None:
        """No token follows: what is no whole character by now will not become one."""
        if not self.ended and self._new:
            piece = self._decode([*self._before, *self._new])[self._known :]
            self._write(piece.rstrip(_BROKEN))
            self._new = []

    def take(self, *, last: bool = False) -> str:
        """What may be shown and was not taken before; the `last` time all that is left."""
        end = len(self.text) if last or self.ended else safe(self.text, self._stop)
        begin, self._taken = self._taken, end
        return self.text[begin:end]

    def _write(self, piece: str) -> None:
        begin = len(self.text)
        self.text += piece
        end = stopped(self.text, self._stop, begin)
        if end is not None:
            self.text, self.ended = self.text[:end], True
