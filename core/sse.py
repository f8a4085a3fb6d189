"""Server-sent events: parses them from pieces of bytes, and writes them.

A line ends with a line feed, optionally after a carriage return. `str.splitlines` is not used,
because it also cuts JSON at U+2028 and similar characters. The format is defined in
https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"

COMMENT = b": ping\n\n"
"""A comment, which keeps a connection open and which clients ignore."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream.

    name: type of the event; "message" for an event that has no type.
    data: content of the event. Several `data` lines are joined by line feeds.
    """

    name: str
    data: bytes


class EventParser:
    """Parses a stream of events that arrives in pieces of any size.

    An event ends with an empty line. An incomplete event at the end of the stream is dropped, as
    the standard requires. Comments are ignored, and so are all fields except `event` and `data`.
    """

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        """Pieces of an incomplete line. They are joined only once, as there may be many."""
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """Yield the events that are complete after this piece."""
        *lines, rest = piece.split(b"\n")
        for line in lines:
            whole = b"".join([*self._begun, line]).removesuffix(b"\r")
            self._begun.clear()
            field, _, value = whole.partition(b":")
            if field == b"data":
                self._data.append(value.removeprefix(b" "))
            elif field == b"event":
                self._name = value.removeprefix(b" ").decode(errors="replace")
            elif not whole:
                data, name, self._data, self._name = self._data, self._name, [], ""
                if data:
                    yield ServerEvent(name or "message", b"\n".join(data))
        self._begun.append(rest)


def events(pieces: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Yield the events of a stream.

    pieces: the bytes of the stream, in order, divided anywhere.
    """
    parser = EventParser()
    for piece in pieces:
        yield from parser.feed(piece)


def encoded(name: str | None, data: bytes) -> bytes:
    """Return a server-sent event as bytes.

    name: type of the event; None: an event without a type.
    data: JSON without line breaks.
    """
    if name is None:
        return b"data: %s\n\n" % data
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)
