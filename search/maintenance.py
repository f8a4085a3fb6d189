"""Maintenance of a collection in a local folder: sealing, merging, vector storage, file checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..core import ConflictError, Progress, Reconfigured
from ..core import arguments as is_
from ..core.arguments import checked
from ..index import (
    DEFAULT_MEMORY,
    LocalStore,
    SnapshotInfo,
    Store,
    VectorStorage,
    check_reconfigure,
    list_snapshots,
    merge,
    open_target,
    reconfigure,
    require,
    restore_snapshot,
    seal,
    write_snapshot,
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

    @checked(**parameters.SNAPSHOT)
    def snapshot(
        self,
        target: Path | str,
        *,
        keep: int | None = None,
        rate: int | None = None,
        progress: Progress | None = None,
    ) -> SnapshotInfo:
        """Copy the state of one commit to `target`, while searches and writes continue.

        The snapshot is complete and durable on return. It has the documents and all indexes, but
        not the jobs of a server.

        target: a folder, or a URL such as `s3://bucket/prefix`. It may hold many snapshots.
        keep: number of the newest snapshots of this collection to keep in `target`; older ones are
            removed at the end. None: all.
        rate: maximum bytes per second; None: no limit.

        Raises CorruptFileError for a damaged file of the collection, StorageError if `target`
        cannot be written, and MissingExtraError for a URL whose package is not installed.
        """
        to = open_target(target)
        return write_snapshot(self._local_store(), to, keep=keep, rate=rate, progress=progress)

    @staticmethod
    @checked(target=is_.path)
    def snapshots(target: Path | str) -> list[SnapshotInfo]:
        """Return the complete snapshots in a folder or at a URL, oldest first."""
        return list_snapshots(open_target(target))

    @staticmethod
    @checked(**parameters.RESTORE)
    def restore(
        target: Path | str,
        path: Path | str,
        *,
        snapshot: str | None = None,
        rate: int | None = None,
        progress: Progress | None = None,
    ) -> SnapshotInfo:
        """Restore a snapshot from `target` as a collection in the new folder `path`.

        The size and SHA-256 of every file are compared. The folder appears once it is complete.

        snapshot: name of the snapshot; None: the newest in `target`.
        rate: maximum bytes per second; None: no limit.

        Raises ConflictError if `path` is in use, NotFoundError if there is no such snapshot, and
        CorruptFileError for a damaged one.
        """
        origin = open_target(target)
        return restore_snapshot(origin, Path(path), snapshot=snapshot, rate=rate, progress=progress)

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
