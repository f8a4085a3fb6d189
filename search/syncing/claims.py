"""Decides which file owns a document id if several files of a sync have a document with this id."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from os.path import lexists

from ...index.store.manifest import Manifest, Synced, SyncedDocument


class Claims:
    """The document ids that files claim during one sync.

    If several files have a document with the same id, only one file owns the id. This is the file
    that owned the id at the last sync, if this file still has the document. Otherwise it is the
    first file with such a document.

    Files are identified by their numbers in the record of synced files.

    manifest: the record of synced files in the collection; None if there is none.
    synced:   content of the record at the start of this sync.
    sources:  absolute paths of the folders and files that are synced now.
    gone:     numbers of recorded files that no longer exist.
    """

    def __init__(
        self,
        manifest: Manifest | None,
        synced: Synced,
        sources: Collection[str],
        gone: Collection[int],
    ) -> None:
        self.claimed: dict[str, int] = {}
        """Document id -> number of the file that has claimed the id in this sync."""
        self.retired: set[str] = set()
        """Document ids that a file had at the last sync and no longer has."""
        self.robbed: set[int] = set()
        """Numbers of files that are not synced now and have lost an id to a file that is."""
        self._wanted: dict[str, int] = {}
        self._manifest = manifest
        self._synced = synced
        self._sources = sources
        self.gone = gone

    def claim(self, id_: str, file: int) -> bool:
        """Claim an id for a file. Return False if another file owns the id."""
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
        """Return True if `claim` would return True, without claiming the id."""
        if id_ in self.claimed:
            return self.claimed[id_] == file
        return self._may_claim(id_, file, self._owner(id_))

    def want(self, id_: str, file: int) -> None:
        """Reserve an id for a file, in case the id becomes free. The first reservation counts."""
        self._wanted.setdefault(id_, file)

    def forget_wanted(self, ids: Iterable[str], file: int) -> None:
        """Undo `want` for a file that is about to be read again; reading claims its ids anew."""
        for id_ in ids:
            if self._wanted.get(id_) == file:
                del self._wanted[id_]

    def owner_of(self, id_: str) -> int | None:
        """Return the number of the file that owns an id; None if no file does."""
        owner = self._owner(id_)
        return self.claimed.get(id_, None if owner is None else owner.file)

    def _may_claim(self, id_: str, file: int, owner: SyncedDocument | None) -> bool:
        if owner is None or self._is_free(owner):
            return self._wanted.get(id_, file) == file
        return owner.file == file

    def _owner(self, id_: str) -> SyncedDocument | None:
        """Return the document with this id that an earlier sync recorded; None if there is none."""
        if self._manifest is None or not self._synced.documents:
            return None
        return self._manifest.find(id_)

    def _is_free(self, owner: SyncedDocument) -> bool:
        if not owner.live or owner.id in self.retired or owner.file in self.gone:
            return True
        # The source was moved: its old path is gone, and it is synced from its new path.
        return self._is_foreign(owner) and not lexists(self._synced.by_number[owner.file].path)

    def _is_foreign(self, owner: SyncedDocument) -> bool:
        file = self._synced.by_number.get(owner.file)
        return file is not None and file.source not in self._sources
