"""Decides which file an id belongs to, if several files of a sync have a document with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from os.path import lexists

from ...index.store.manifest import Manifest, Synced, SyncedDocument


class Claims:
    """The ids that files claim during one sync.

    An id belongs to the file that has had it so far. A new id, and one that its file no longer has,
    belongs to the first file that wants it.

    manifest: the record of earlier syncs; None if there is none.
    synced:   what the record contained when this sync began.
    sources:  absolute paths of the synced sources.
    gone:     numbers of the files that are removed in this sync.
    """

    def __init__(
        self,
        manifest: Manifest | None,
        synced: Synced,
        sources: Collection[str],
        gone: Collection[int],
    ) -> None:
        self.claimed: dict[str, int] = {}
        """Id -> number of the file that has claimed it in this sync."""
        self.retired: set[str] = set()
        """Ids that a file had before this sync, and has no longer."""
        self.robbed: set[int] = set()
        """Numbers of files of other sources that have lost an id to a file of this sync."""
        self._wanted: dict[str, int] = {}
        self._manifest = manifest
        self._synced = synced
        self._sources = sources
        self.gone = gone

    def claim(self, id_: str, file: int) -> bool:
        """Claim an id for a file. Returns False if it belongs to another file."""
        if id_ in self.claimed:
            return self.claimed[id_] == file
        owner = self._owner(id_)
        if not self._may_claim(id_, file, owner):
            self.want(id_, file)
            return False
        if owner is not None and owner.file != file and self._is_foreign(owner):
            self.robbed.add(owner.file)
        self.claimed[id_] = file
        self.retired.discard(id_)
        return True

    def available(self, id_: str, file: int) -> bool:
        """Return True if `claim` would succeed. It claims nothing."""
        if id_ in self.claimed:
            return self.claimed[id_] == file
        return self._may_claim(id_, file, self._owner(id_))

    def want(self, id_: str, file: int) -> None:
        """Reserve an id for a file, unless an earlier file wants it too."""
        self._wanted.setdefault(id_, file)

    def forget_wanted(self, ids: Iterable[str], file: int) -> None:
        """Undo `want`, because the file is read again and will claim what it still has."""
        for id_ in ids:
            if self._wanted.get(id_) == file:
                del self._wanted[id_]

    def owner_of(self, id_: str) -> int | None:
        """Return the number of the file that an id belongs to."""
        owner = self._owner(id_)
        return self.claimed.get(id_, None if owner is None else owner.file)

    def _may_claim(self, id_: str, file: int, owner: SyncedDocument | None) -> bool:
        if owner is None or self._is_free(owner):
            return self._wanted.get(id_, file) == file
        return owner.file == file

    def _owner(self, id_: str) -> SyncedDocument | None:
        """Return the document of an earlier sync. Those of this sync are in `claimed`."""
        if self._manifest is None or not self._synced.documents:
            return None
        return self._manifest.find(id_)

    def _is_free(self, owner: SyncedDocument) -> bool:
        if not owner.live or owner.id in self.retired or owner.file in self.gone:
            return True
        # A source that was moved, and is now synced from its new place.
        return self._is_foreign(owner) and not lexists(self._synced.by_number[owner.file].path)

    def _is_foreign(self, owner: SyncedDocument) -> bool:
        file = self._synced.by_number.get(owner.file)
        return file is not None and file.source not in self._sources
