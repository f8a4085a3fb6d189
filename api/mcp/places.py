"""Which collections a connection may read, and the addresses of their documents."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from ..pages.links import page_address


@dataclass(frozen=True, slots=True)
class Place:
    """What the tools of one connection may read, and where documents have pages.

    only: name of the only collection that the tools read; None: all collections.
    base: address of the server that has a page for each document, such as
          `http://127.0.0.1:8080/`; None: there is no server.
    """

    only: str | None = None
    base: str | None = None

    def address(self, collection: str, document: str, start: int = 0, end: int = 0) -> str:
        """Return the address of a document's page. Without a server, a name: `twindex:birds/kiwi`.

        document:   id.
        start, end: passage to mark on the page, in code points; equal: none.
        """
        if self.base is None:
            return f"twindex:{quote(collection)}/{quote(document)}"
        fields = {"collection": collection, "id": document}
        if start == end:
            return self.base + page_address(fields)
        fields |= {"start": str(start), "end": str(end)}
        return f"{self.base}{page_address(fields)}#passage"
