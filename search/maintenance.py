"""Maintenance of a collection in a local folder: sealing, merging, vector storage, file checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..core import ConflictError, Progress, Reconfigured
from ..core.arguments import checked
from ..index import (
    DEFAULT_MEMORY,
    LocalStore,
    Store,
    VectorStorage,
    check_reconfigure,
    merge,
    reconfigure,
    require,
    seal,
)
from . import parameters


class MaintenanceMethods:
    """The methods of a collection that maintain its files.

    They raise UnsupportedByStoreError unless the collection's store has the capability
    "maintenance", as a local folder does.
    """

    store: Store
    path: Path
    read_only: bool

    def seal(self) -> bool:
        """Move the documents written since the last call into a segment, an immutable index part.

        Returns False if there are no such documents. Background maintenance also does this after
        enough writes.
        """
        return seal(self._writable_local_store())

    @checked(**parameters.PROGRESS)
    def merge(self, *, progress: Progress | None = None) -> bool:
        """Call `seal`, merge all segments into one, and free the space of deleted documents.

        Returns False if nothing had to be changed.
        """
        store = self._writable_local_store()
        sealed = seal(store)
        return merge(store, progress=progress) or sealed

    @checked(**parameters.RECONFIGURE)
    def reconfigure(
        self,
        legs: Mapping[str, VectorStorage],
        *,
        memory: int | None = None,
        progress: Progress | None = None,
    ) -> Reconfigured:
        """Change how the vectors of dense legs are stored, without encoding the documents again.

        Searches and writes in this and other processes continue during the conversion.

        legs: leg name -> the leg's new storage.
        memory: bytes that the conversion may use in addition to what building an index requires.
            None: 256 MiB.

        Raises InvalidInputError for a leg that is not dense or does not support the storage.
        """
        memory = DEFAULT_MEMORY if memory is None else memory
        return reconfigure(self._writable_local_store(), legs, memory=memory, progress=progress)

    @checked(legs=parameters.storages)
    def check_reconfigure(self, legs: Mapping[str, VectorStorage]) -> None:
        """Raise the error that `reconfigure` would raise for `legs`, without changing anything."""
        check_reconfigure(self._local_store(), legs)

    def verify(self) -> list[str]:
        """Read all files. Return a description of each damage found; empty if there is none."""
        return self._local_store().problems()

    def _local_store(self) -> LocalStore:
        """Return `self.store`. Raises UnsupportedByStoreError if it is not a LocalStore."""
        require(self.store, "maintenance")
        assert isinstance(self.store, LocalStore), "only a LocalStore supports maintenance"
        return self.store

    def _writable_local_store(self) -> LocalStore:
        self._require_writable()
        return self._local_store()

    def _require_writable(self) -> None:
        if self.read_only:
            raise ConflictError(
                f"{self.path} was opened read-only; open it without `read_only` to change it"
            )
