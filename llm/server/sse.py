"""Server-sent events: the data of each event in a stream of bytes.

Written by hand because a line ends only at a line feed here: `str.splitlines` would also cut JSON
at U+2028 and others of its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def events(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The `data` of each event; comments and other fields are left out.

    An event ends with an empty line; what a stream that breaks off leaves open is dropped, as the
    standard says (https://html.spec.whatwg.org/multipage/server-sent-events.html).
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
    begun: list[bytes] = []  # joined once: a line may come in very many pieces
    for piece in pieces:
        *lines, rest = piece.split(b"\n")
        for line in lines:
            yield b"".join([*begun, line]).removesuffix(b"\r")
            begun.clear()
        begun.append(rest)
