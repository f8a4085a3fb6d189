"""Changes of stored documents: of their metadata, and on conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....core import (
    DeletedCount,
    Document,
    InvalidInputError,
    NotFoundError,
    Progress,
    UpdateReport,
    WriteReport,
)
from ....core import arguments as is_
from ....core.arguments import checked, refused
from ....core.errors import shown
from ....core.filters import And, Filter, parse_filter
from ....index import View, require
from ....sources import CheckedDocuments, check_document, parse_document
from ... import parameters
from ...maintenance import MaintenanceMethods
from ..encoded import check_unread
from ..upkeep import Upkeep
from ..writer import Writer
from .merging import checked_patch, patched
from .preconditions import Expected, expected


class ChangeMethods(MaintenanceMethods):
    """The methods of a collection that change, replace and delete stored documents."""

    _upkeep: Upkeep

    def _writer(self, progress: Progress | None, **hooks: Any) -> Writer:
        raise NotImplementedError

    @checked(document=is_.instance(Document | Mapping, "a Document or a mapping"))
    def put(
        self,
        document: Document | Mapping[str, object],
        *,
        if_match: str | Sequence[str] | None = None,
        if_none_match: str | Sequence[str] | None = None,
    ) -> WriteReport:
        """Insert or replace one document, if the stored document is the expected one.

        if_match: the `tag` that the stored document must have, or several. "*": any document.
        if_none_match: the `tag` that the stored document must not have, or several. "*": there must
            be no document with this id.

        The condition is compared in the transaction of the write. Raises PreconditionFailedError if
        it does not hold; nothing is then written. Also raises the errors of `add`.
        """
        self._require_writable()
        wanted = expected(if_match, if_none_match)
        one = (
            check_document(document) if isinstance(document, Document) else parse_document(document)
        )
        hooks: dict[str, Any] = {}
        if not wanted.empty:
            require(self.store, "updates", "if_none_match" if if_match is None else "if_match")
            with self.store.view() as view:  # Also before the text is encoded, which may take long.
                wanted.check(one.id, _stored(view, one.id))
            hooks["check"] = lambda stored: wanted.check(one.id, stored.get(one.id))
        writer = self._writer(None, **hooks)
        for _ in writer.write(CheckedDocuments([one])):
            self._upkeep.after_write()
        return writer.report

    @checked(**parameters.IDS)
    def delete(
        self, ids: Sequence[str], *, if_match: str | Sequence[str] | None = None
    ) -> list[str]:
        """Delete documents and return the ids that existed. On return, the change is durable.

        if_match: for a single id, the `tag` that its document must have, or several. Otherwise
            PreconditionFailedError is raised, and nothing is deleted.
        """
        self._require_writable()
        wanted = expected(if_match)
        if not wanted.empty and len(ids) != 1:
            message = f"is for one document, and there are {len(ids)} ids; delete one at a time"
            raise InvalidInputError(message, field="if_match")
        check: dict[str, Any] = {}
        if not wanted.empty:
            require(self.store, "updates", "if_match")
            check["check"] = lambda document: wanted.check(document.id, document)
        deleted = self.store.delete(ids, **check)
        self._upkeep.after_write()
        return deleted

    @checked(**parameters.DELETE_WHERE)
    def delete_where(self, filter: Filter) -> DeletedCount:  # noqa: A002
        """Delete every document that matches a filter. Return their number, and warnings."""
        self._require_writable()
        deleted = self.store.delete_where(parse_filter(filter))
        self._upkeep.after_write()
        return deleted

    @checked(id=is_.text)
    def update(
        self,
        id: str,  # noqa: A002
        metadata: Mapping[str, Any],
        *,
        if_match: str | Sequence[str] | None = None,
    ) -> str:
        """Change the metadata of one document, and return its new tag. No text is encoded.

        metadata: a merge patch (RFC 7396): null removes a field, an object is merged into a stored
            object, and any other value replaces the stored value.
        if_match: the `tag` that the stored document must have, or several. "*": any.

        The change is durable on return. Passages, vectors and the order of documents stay as they
        are.

        Raises NotFoundError if there is no such document, PreconditionFailedError if it has another
        tag, and InvalidInputError for metadata that the encoders of the collection read: `type`,
        and with languages `language` and `title_language`.
        """
        found: list[Document] = []
        report = self._update([id], metadata, expected(if_match), found)
        if report.not_found:
            raise NotFoundError(f"there is no document {shown(id)}")
        return found[0].tag

    @checked(ids=is_.ids)
    def update_many(self, ids: Sequence[str], metadata: Mapping[str, Any]) -> UpdateReport:
        """Change the metadata of several documents in one transaction; see `update`.

        An error for one document leaves all as they are.
        """
        return self._update(list(ids), metadata, Expected(), None)

    @checked(filter=is_.condition)
    def update_where(
        self,
        filter: Filter,  # noqa: A002
        metadata: Mapping[str, Any],
    ) -> UpdateReport:
        """Change the metadata of all documents that meet a filter, in one transaction.

        See `update`. An empty filter changes all documents. An error for one document leaves all as
        they are.
        """
        change = self._change(metadata)
        where = parse_filter(filter)
        return self.store.update_where(And(()) if where is None else where, change)

    def _update(
        self, ids: list[str], metadata: object, wanted: Expected, found: list[Document] | None
    ) -> UpdateReport:
        change = self._change(metadata)

        def checked_change(document: Document) -> Document:
            wanted.check(document.id, document)
            new = change(document)
            if found is not None:
                found.append(new)
            return new

        return self.store.update(ids, checked_change)

    def _change(self, metadata: object) -> Callable[[Document], Document]:
        """Return the function that applies a merge patch to a stored document."""
        self._require_writable()
        require(self.store, "updates", "metadata")
        if not isinstance(metadata, Mapping):
            raise refused(metadata, "metadata", 'a mapping such as {"year": 1990}')
        patch, config = checked_patch(metadata), self.store.config

        def change(document: Document) -> Document:
            new = patched(document, patch)
            check_unread(document, new, config)
            return new

        return change


def _stored(view: View, id: str) -> Document | None:  # noqa: A002
    try:
        return view.get(id)
    except NotFoundError:
        return None
