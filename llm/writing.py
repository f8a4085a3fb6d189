"""Builds a text from generated tokens: complete characters only, up to the first stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .protocol import Tokens

_BROKEN = "\ufffd"
"""Character that decoders write for invalid or incomplete bytes."""

_CONTEXT = 8


def stopped(text: str, stop: Sequence[str], begin: int = 0) -> int | None:
    """Return the position of the first stop string in a text; None if the text contains none.

    The first stop string is the stop string that ends first. If several end at the same character,
    it is the longest.

    begin: position in the text. Stop strings that end before it are not looked for.
    """
    ends = []
    for string in stop:
        start = text.find(string, max(0, begin - len(string) + 1))
        if start >= 0:
            ends.append((start + len(string), start))
    return min(ends)[1] if ends else None


def safe(text: str, stop: Sequence[str]) -> int:
    """Return how many characters at the start of a text cannot be part of a stop string.

    The characters after these may be the beginning of a stop string.
    """
    longest = max((len(string) for string in stop), default=1) - 1
    for begin in range(max(0, len(text) - longest), len(text)):
        if any(string.startswith(text[begin:]) for string in stop):
            return begin
    return len(text)


class Writing:
    """A text that is being generated, token by token.

    text:   the text so far, without a stop string.
    ended:  True if a stop string has ended the text.
    decode: function from tokens to text. It is called only with the last few tokens.
    prompt: tokens before the text. They are decoded together with the text, because many decoders
            remove a space from the start of what they decode.
    stop:   strings that end the text.
    """

    def __init__(self, decode: Callable[[Tokens], str], prompt: Tokens, stop: Sequence[str]):
        self.text = ""
        self.ended = False
        self._decode = decode
        self._stop = stop
        self._before = list(prompt[-_CONTEXT:])  # Tokens whose text is complete, as context.
        self._known = len(decode(self._before))
        self._new: list[int] = []  # Tokens whose text may end with an incomplete character.
        self._taken = 0

    def add(self, token: int) -> None:
        self._new.append(token)
        piece = self._decode([*self._before, *self._new])[self._known :]
        if piece and not piece.endswith(_BROKEN):
            self._write(piece)
            self._before, self._new = self._new, []
            self._known = len(self._decode(self._before))

    def close(self) -> None:
        """End the text. An incomplete character at its end is dropped."""
        if not self.ended and self._new:
            piece = self._decode([*self._before, *self._new])[self._known :]
            self._write(piece.rstrip(_BROKEN))
            self._new = []

    def take(self, *, last: bool = False) -> str:
        """Return the part of the text that is final and was not returned by an earlier call.

        last: True at the end of the text, to return all of the rest.
        """
        end = len(self.text) if last or self.ended else safe(self.text, self._stop)
        begin, self._taken = self._taken, end
        return self.text[begin:end]

    def _write(self, piece: str) -> None:
        begin = len(self.text)
        self.text += piece
        end = stopped(self.text, self._stop, begin)
        if end is not None:
            self.text, self.ended = self.text[:end], True
