"""Reads the documents of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core import UNGUARDED, Document, Guard, Progress
from ..core.arguments import checked
from ..core.filters import Filter, parse_filter
from ..core.results import Completions
from ..index import AsOf, Store, view_at
from . import parameters
from .arranging.completing import CompleteRequest, complete
from .export import ExportReport, export

_SCAN_DOCUMENTS = 1_000
_SCAN_BYTES = 16 << 20
"""Maximum number, and maximum total size, of the documents that `scan` reads at a time."""


class DocumentMethods:
    """The methods of a collection that return stored documents or count them."""

    store: Store

    @checked(**parameters.GET)
    def get(self, id: str, *, as_of: AsOf | None = None) -> Document:  # noqa: A002
        """Return the document with this id. Raises NotFoundError if there is none.

        as_of: number of a commit, or a time as ISO 8601 text: the document as it was then.

        With `as_of`, raises GoneError beyond the retention of the collection's history.
        """
        with view_at(self.store, as_of) as view:
            return view.get(id)

    @checked(**parameters.DOCUMENTS)
    def documents(
        self,
        *,
        after: str | None = None,
        limit: int = 100,
        filter: Filter | None = None,  # noqa: A002
        most_bytes: int | None = None,
        as_of: AsOf | None = None,
    ) -> list[Document]:
        """Return up to `limit` documents in ascending order of id, starting after the id `after`.

        most_bytes: maximum total size of the returned documents in bytes. If the first document
            alone is larger, it is still returned.
        as_of: see `get`.
        """
        with view_at(self.store, as_of) as view:
            return view.page(after, limit, parse_filter(filter), most_bytes=most_bytes)

    @checked(**parameters.COUNT)
    def scan(self, filter: Filter | None = None) -> Iterator[Document]:  # noqa: A002
        """Iterate over all documents, or those that match a filter, in ascending order of id.

        At most 1,000 documents are in memory at a time. A document that is written during the scan
        is included if the scan has not yet passed its id.
        """
        condition, after = parse_filter(filter), None
        while page := self.documents(
            after=after, limit=_SCAN_DOCUMENTS, filter=condition, most_bytes=_SCAN_BYTES
        ):
            yield from page
            after = page[-1].id

    @checked(**parameters.COUNT, as_of=parameters.as_of)
    def count(
        self,
        filter: Filter | None = None,  # noqa: A002
        *,
        as_of: AsOf | None = None,
    ) -> int:
        """Return the number of documents, or of the documents that match a filter.

        as_of: see `get`.
        """
        with view_at(self.store, as_of) as view:
            return view.count(parse_filter(filter))

    @checked(**parameters.EXPORT)
    def export(self, path: Path | str, *, progress: Progress | None = None) -> ExportReport:
        """Write documents and vectors as plain files to the new folder `path`.

        `twindex.search.export` describes the files. To build a collection from them, see
        `twindex.sources.with_vectors`.
        """
        return export(self.store, Path(path), progress)

    @checked(limit=parameters.LIMIT)
    def fields(self, limit: int = 100) -> dict[str, set[int]]:
        """Return the metadata fields that a filter may use: name -> kinds of the field's values.

        The kinds are `NUMBER`, `STRING` and `BOOLEAN` of `twindex.core.filters`. `limit` is the
        maximum number of pairs of field name and kind.
        """
        found: dict[str, set[int]] = {}
        with self.store.view() as view:
            for name, kind in view.fields(limit):
                found.setdefault(name, set()).add(kind)
        return found

    def complete(
        self,
        request: CompleteRequest | Mapping[str, Any] | str,
        *,
        guard: Guard = UNGUARDED,
        **fields: Any,
    ) -> Completions:
        """Complete the last word of a text, and titles, while a user types.

        request: a CompleteRequest, a mapping with its fields, or the text.
        fields: other fields of the request, only allowed if `request` is a text.
        guard: limits of the caller.

        Words are whole words of the documents in lower case. They are ordered by the number of
        documents with them, then alphabetically. Documents that do not meet the filter do not
        count. The first call reads all documents; later calls take milliseconds.

        Raises UnsupportedByStoreError if the store lacks the capability "vocabulary".
        """
        parameters.guard(guard, "guard")
        return complete(self.store, parameters.complete_request(request, fields), guard)
