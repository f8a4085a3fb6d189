"""Versions of documents: what was stored before, and back to it."""

from __future__ import annotations

from collections.abc import Callable

from ...core import WriteReport
from ...core import arguments as is_
from ...core.arguments import checked, optional
from ...core.bounds import Bounds
from ...index import (
    HistoryConfig,
    LocalStore,
    Store,
    Version,
    history_of,
    set_history,
    version_of,
)

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

    @checked(days=DAYS)
    def set_history(self, days: int | None) -> None:
        """Begin or end the history of the collection, or change its retention.

        days: days for which a replaced or deleted version is kept. None: versions are not kept, and
            those that are kept now are forgotten.

        A longer retention does not bring versions back that were forgotten.
        """
        self._writable_local_store()
        set_history(self.store, None if days is None else HistoryConfig(days=days))
