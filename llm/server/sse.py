"""Parses server-sent events from a stream of bytes.

Lines end only at a line feed. `str.splitlines` is not used, because it also cuts JSON at U+2028 and
similar characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def events(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the `data` field of each event. Comments and other fields are ignored.

    An event ends with an empty line. An incomplete event at the end of the stream is dropped, as
    the standard requires (https://html.spec.whatwg.org/multipage/server-sent-events.html).
    """
    data: list[bytes] = []
    for line in _lines(pieces):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    begun: list[bytes] = []  # Pieces of a line. They are joined only once, as there may be many.
    for piece in pieces:
        *lines, rest = piece.split(b"\n")
        for line in lines:
            yield b"".join([*begun, line]).removesuffix(b"\r")
            begun.clear()
        begun.append(rest)
