"""Restores a snapshot into a new folder, and checks snapshots where they are."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from ....core import (
    ConflictError,
    CorruptFileError,
    NoProgress,
    NotFoundError,
    Progress,
    StorageError,
)
from ...arrays.files import sync_directory
from ...arrays.temporary import temporary_folder
from ..database.access import to_write
from ..database.folders import FILE_NAME, check_free, is_collection
from ..database.mark import Mark
from ..database.meta import get_meta, set_meta
from ..local import LocalStore
from .copying import Pace, Sums, blocks_in
from .manifest import MANIFEST, SnapshotInfo, by_age, collection_of, damaged, parse
from .target import Target

_MAX_MANIFEST = 64 << 20
"""Maximum size of a manifest in bytes."""
_RESTORED = "restored"
"""Key in `meta` of a restored collection: the name of its snapshot."""


def read_info(target: Target, name: str) -> SnapshotInfo:
    """Return a snapshot by its name. Raises NotFoundError if there is none."""
    where = f"{target.address}/{name}/{MANIFEST}"
    with target.open(name, MANIFEST) as file:
        info = parse(file.read(_MAX_MANIFEST), where)
    if info.name != name:
        raise damaged(where, f"the manifest is that of the snapshot {info.name!r}")
    return info


def list_snapshots(target: Target) -> list[SnapshotInfo]:
    """Return the complete snapshots in `target`, oldest first."""
    found = []
    for name in by_age(target.names()):
        try:
            found.append(read_info(target, name))
        except NotFoundError:
            continue  # It was removed meanwhile.
    return found


def check_snapshot(target: Target, name: str, progress: Progress | None = None) -> list[str]:
    """Read every file of a snapshot. Return a message for each file that is missing or damaged."""
    info = read_info(target, name)
    progress = progress or NoProgress()
    progress.start("verify", info.bytes, "bytes")
    pace = Pace(None, progress)
    problems = []
    for path in info.files:
        try:
            for _ in _checked_blocks(target, info, path, pace):
                pass
        except CorruptFileError as error:
            problems.append(f"{error.path}: {error.problem}")
    pace.report()
    return problems


def restore_snapshot(
    target: Target,
    directory: Path,
    *,
    snapshot: str | None = None,
    rate: int | None = None,
    progress: Progress | None = None,
) -> SnapshotInfo:
    """Restore a snapshot as a collection in the folder `directory`.

    The files are written into a hidden folder beside it, checked, and renamed into place, so a
    killed restore leaves no collection.

    directory: must not exist, or be empty.
    snapshot:  name of the snapshot; None: the newest.
    rate:      maximum bytes per second; None: no limit.

    Raises NotFoundError if there is no such snapshot, ConflictError if the folder is in use,
    CorruptFileError for a damaged snapshot, and StorageError if files cannot be read or written.
    """
    directory = directory.absolute()
    _check_free(directory)
    info = read_info(target, find_snapshot(target, snapshot))
    progress = progress or NoProgress()
    progress.start("restore", info.bytes, "bytes")
    pace = Pace(rate, progress)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        label = re.sub(r"[^A-Za-z0-9_-]", "_", directory.name)
        with temporary_folder(directory.parent, f".restore-{label}-") as folder:
            (folder / "segments").mkdir()
            for path in info.files:
                _write(folder / path, _checked_blocks(target, info, path, pace))
            _note(folder, info.name)
            Mark(folder).reset(info.generation)
            LocalStore.open(folder, verify="size").close()
            for inner in [*folder.rglob("*"), folder]:
                if inner.is_dir():
                    sync_directory(inner)
            _check_free(directory)
            folder.rename(directory)
            sync_directory(directory.parent)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise StorageError(
            f"{directory}: the snapshot cannot be restored ({reason or error}); check the "
            "permissions of the folder and the free space of the disk"
        ) from error
    pace.report()
    return info


def restored_from(directory: Path) -> str | None:
    """Return the name of the snapshot that a collection was restored from; None if there is none.

    Raises StorageError if the collection cannot be read.
    """
    if not is_collection(directory):
        return None
    store = LocalStore.open(directory, verify="size", read_only=True)
    try:
        with store.database.read() as connection:
            return get_meta(connection, _RESTORED)
    finally:
        store.close()


def _note(folder: Path, snapshot: str) -> None:
    """Record in a copied collection which snapshot it is."""
    with closing(to_write(folder / FILE_NAME).connect()) as connection:
        set_meta(connection, _RESTORED, snapshot)


def find_snapshot(target: Target, snapshot: str | None) -> str:
    """Return the name of a snapshot in `target`: `snapshot`, or the newest if it is None.

    Raises NotFoundError if there is none, and StorageError if the target has snapshots of several
    collections and `snapshot` is None.
    """
    names = by_age(target.names())
    if snapshot is not None:
        if snapshot in names:
            return snapshot
        raise NotFoundError(f"{target.address}: there is no snapshot {snapshot!r}")
    if not names:
        raise NotFoundError(f"{target.address}: there are no snapshots")
    if len(labels := sorted({collection_of(name) for name in names})) > 1:
        raise StorageError(
            f"{target.address}: has snapshots of several collections ({', '.join(labels)}); name "
            "the snapshot"
        )
    return names[-1]


def _check_free(directory: Path) -> None:
    if is_collection(directory):
        raise ConflictError(
            f"{directory} already contains a collection; restore into a new folder, or move this "
            "one away first"
        )
    check_free(directory)
    if directory.exists() and os.listdir(directory):
        raise ConflictError(f"{directory} is not empty; restore into a new folder")


def _write(path: Path, blocks: Iterator[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _checked_blocks(target: Target, info: SnapshotInfo, path: str, pace: Pace) -> Iterator[bytes]:
    """Yield the bytes of a file of a snapshot.

    Raises CorruptFileError at the end if the file differs from the manifest.
    """
    where = f"{target.address}/{info.name}/{path}"
    sums = Sums()
    expected = info.files[path]
    try:
        with target.open(info.name, path) as file:
            for block in _at_most(file, expected.size):
                sums.add(block)
                yield block
                pace.advance(len(block))
    except NotFoundError:
        raise damaged(where, "is missing") from None
    if sums.file != expected:
        size = sums.file.size
        differs = f"has {size} bytes or more instead of {expected.size}"
        same = size == expected.size
        raise damaged(where, "has changed: its checksum differs" if same else differs)


def _at_most(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the bytes in `file`, and end soon after `size` bytes."""
    read = 0
    for block in blocks_in(file):
        yield block
        read += len(block)
        if read > size:
            return
