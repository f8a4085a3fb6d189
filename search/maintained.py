"""Maintenance of a collection that is stored here: segments, how vectors are stored, checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..core import ConflictError, Progress
from ..core.arguments import checked
from ..index import (
    DEFAULT_MEMORY,
    LocalStore,
    Reconfigured,
    Store,
    VectorStorage,
    check_reconfigure,
    merge,
    reconfigure,
    require,
    seal,
)
from . import parameters


class Maintained:
    """Methods of a collection whose store has the capability "maintenance"; of another they raise
    UnsupportedByStoreError."""

    store: Store
    path: Path
    read_only: bool

    def seal(self) -> bool:
        """Turn recent writes into a segment; False when there are none."""
        return seal(self._maintained())

    @checked(**parameters.PROGRESS)
    def merge(self, *, progress: Progress | None = None) -> bool:
        """Seal, make all segments one, drop deleted documents and give their space back.

        False when there was nothing to do.
        """
        store = self._maintained()
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
        """Store the vectors of dense legs (name -> how) in another way. Nothing is encoded again,
        and searches and writes go on meanwhile, here and in other processes.

        memory: bytes that it may take, beyond what an index must hold to be built; None = 256 MiB.
        Raises InvalidInputError for a leg that is not dense or cannot be stored so.
        """
        memory = DEFAULT_MEMORY if memory is None else memory
        return reconfigure(self._maintained(), legs, memory=memory, progress=progress)

    @checked(legs=parameters.storages)
    def check_reconfigure(self, legs: Mapping[str, VectorStorage]) -> None:
        """Raise what `reconfigure` would for legs that cannot be stored so, without doing it."""
        check_reconfigure(self._local(), legs)

    def verify(self) -> list[str]:
        """Read everything and say what is wrong with it; empty when sound."""
        return self._local().problems()

    def _local(self) -> LocalStore:
        """The store, which must be able to be maintained from here."""
        require(self.store, "maintenance")
        assert isinstance(self.store, LocalStore), "no other store is maintained from here"
        return self.store

    def _maintained(self) -> LocalStore:
        self._writable()
        return self._local()

    def _writable(self) -> None:
        if self.read_only:
            raise ConflictError(f"{self.path} was opened read-only")
