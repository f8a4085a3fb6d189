"""Versions of documents: what was stored before, and back to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...core import InvalidInputError, PurgeProof, Version, WriteReport
from ...core import arguments as is_
from ...core.arguments import checked, optional
from ...core.bounds import Bounds
from ...core.filters import Filter, parse_filter
from ...index import (
    HistoryConfig,
    LocalStore,
    Store,
    history_of,
    open_target,
    purge,
    set_history,
    version_of,
)
from .. import parameters

VERSION = is_.integer(Bounds(1, 2**62))
DAYS = optional(is_.integer(Bounds(1, 36_500)))


class HistoryMethods:
    """The methods of a collection that keeps superseded versions of its documents.

    They raise UnsupportedByStoreError if it keeps none, or if its store lacks "history".
    """

    store: Store
    add: Callable[..., WriteReport]
    _writable_local_store: Callable[[], LocalStore]

    @checked(id=is_.text)
    def history(self, id: str) -> list[Version]:  # noqa: A002
        """Return the versions of a document within retention, the newest first.

        Raises NotFoundError if the document does not exist and no version of it is kept.
        """
        return history_of(self.store, id)

    @checked(id=is_.text, version=VERSION)
    def revert(self, id: str, version: int) -> WriteReport:  # noqa: A002
        """Store an earlier version of a document again, as its newest version.

        version: its number in `history`. Its text is encoded again: vectors and passages that the
            document brought with it are not kept.

        Raises GoneError if the version is not kept, or was erased.
        """
        return self.add([version_of(self.store, id, version)])

    @checked(
        ids=optional(is_.ids),
        filter=optional(is_.condition),
        snapshots=parameters.list_of("a list of folders or URLs", is_.path),
    )
    def purge(
        self,
        ids: Sequence[str] | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002
        snapshots: Sequence[Path | str] = (),
    ) -> PurgeProof:
        """Erase documents with all their versions from the files, and return a proof.

        All segments with deleted passages and the database are written again, so a purge takes as
        long as a merge. Then every file of the folder is searched for pieces of the documents.

        ids: ids of the documents to erase.
        filter: instead of ids, a filter: a document is erased if any kept version meets it.
        snapshots: folders or URLs with snapshots. The proof names those of this collection that
            still hold a document; they are not changed. Remove them to erase it there.

        Raises InvalidInputError unless exactly one of `ids` and `filter` is given, and
        ConflictError if other processes read the database all the time.
        """
        if (ids is None) == (filter is None):
            raise InvalidInputError("give exactly one of `ids` and `filter`", field="ids")
        store = self._writable_local_store()
        targets = [open_target(one) for one in snapshots]
        return purge(store, ids, parse_filter(filter), targets)

    @checked(days=DAYS)
    def set_history(self, days: int | None) -> None:
        """Begin or end the history of the collection, or change its retention.

        days: days for which a replaced or deleted version is kept. None: versions are not kept, and
            those that are kept now are forgotten.

        A longer retention does not bring versions back that were forgotten.
        """
        self._writable_local_store()
        set_history(self.store, None if days is None else HistoryConfig(days=days))
