"""Encodes a collection again with other encoders, while it is searched and written.

A successor is built in a hidden folder beside the collection. It copies documents by their numbers,
so that it also gets those that are written meanwhile, and continues after an interruption. When few
are left, writes are held for a moment: the rest is copied, and the two folders are exchanged in one
step. Whoever has the old collection open then gets an error and opens the new one. The old one
stays in the hidden folder until it is confirmed or rolled back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ...core import ConflictError, Document, NoProgress, NotFoundError, Progress, StorageError
from ...encoders import EncoderLoader, load_encoder
from ...index import CollectionConfig, LocalStore, Transaction, is_collection
from ...index.arrays.exchange import exchange
from ...index.arrays.files import exclusive, remove_tree, sync_directory
from ...index.arrays.temporary import remove_abandoned, temporary_folder
from ...index.models import absolute
from ...index.store.database.succession import (
    forget_predecessor,
    frozen,
    hand_over,
    identity_of,
    newer_documents,
    read_copied,
    record_copied,
    updated_documents,
    vanished_ids,
)
from ...index.store.database.updates import last_update
from ...index.store.folder import LOCK
from ..collection import Collection
from .encoded import reads_differently

REMOVED = ".removed-"
"""Start of the names of folders that are being removed, beside a collection."""
_PAGE = 256
"""Documents that are read at a time."""
_FEW = 100
"""Documents that may be left when writes are held."""
_PASSES = 20
"""Maximum number of times that new documents are copied before writes are held anyway."""


@dataclass(frozen=True, slots=True)
class Reembedded:
    """The result of a re-embedding.

    changed:   False if the collection has the wanted configuration already.
    documents: number of documents of the collection.
    copied:    number of documents that this run encoded.
    held:      seconds for which writes were held.
    """

    changed: bool
    documents: int
    copied: int = 0
    held: float = 0.0


def reembed(
    path: Path | str,
    config: CollectionConfig,
    *,
    progress: Progress | None = None,
    encoders: EncoderLoader = load_encoder,
) -> Reembedded:
    """Replace a collection by one with the same documents and another configuration.

    To continue an interrupted call, call it again with the same configuration. Searches and writes
    continue meanwhile, in other processes too. Then call `confirm` or `roll_back`.

    Vectors and passages that documents brought with them are not kept: texts are encoded.

    Raises ConflictError if a leg of `config` cannot encode texts, if an earlier re-embedding is not
    confirmed, or if another process runs one. Raises ModelError for a model that cannot be loaded.
    """
    path = Path(path).absolute()
    progress = progress or NoProgress()
    config = absolute(config, encoders)
    mute = [name for name, leg in config.legs.items() if not leg.encoder.encodes_text]
    if mute:
        raise ConflictError(
            f"leg {mute[0]!r} does not encode texts, so it cannot be filled again; build a new "
            "collection with its vectors"
        )
    with _only_one(path):
        old = LocalStore.open(path, verify="size")
        try:
            if old.config == config:
                return Reembedded(False, _count(old))
            if old.config.history is not None:
                raise ConflictError(
                    f"{path}: has a history, whose versions would be lost; end the history first"
                )
            if follows(path):
                raise ConflictError(
                    f"{path}: the last re-embedding is neither confirmed nor rolled back"
                )
            forget_predecessor(old.database)
            with _successor(path, config, encoders) as new:
                return _replace(old, new, progress)
        finally:
            old.close()


def confirm(path: Path | str) -> bool:
    """Remove the collection that a re-embedding has replaced. False: there is none."""
    path = Path(path).absolute()
    with _only_one(path):
        there = follows(path)
        if there:
            _remove_hidden(path)
            store = LocalStore.open(path, verify="size")
            try:
                forget_predecessor(store.database)
            finally:
                store.close()
        return there


def roll_back(path: Path | str) -> bool:
    """Exchange the collection again with the one that a re-embedding has replaced, and remove it.

    Documents that were written since are lost. False: there is none to go back to.
    """
    path = Path(path).absolute()
    with _only_one(path):
        if not follows(path):
            return False
        with exclusive(path / LOCK, wait=True), frozen(path) as connection:
            hand_over(connection, path, hidden(path), synced=False)
            exchange(path, hidden(path))
        _remove_hidden(path)
        return True


def hidden(path: Path) -> Path:
    """Return the folder beside a collection for its successor or its predecessor."""
    return path.with_name(f".reembed-{path.name}")


def _remove_hidden(path: Path) -> None:
    """Remove the hidden folder. An interruption leaves no part of it under its name."""
    with temporary_folder(path.parent, _trash(path)) as trash:
        hidden(path).rename(trash / path.name)
        sync_directory(path.parent)


def _trash(path: Path) -> str:
    """Return the start of the names of folders that are being removed."""
    return f"{REMOVED}{path.name}-"


def follows(path: Path) -> bool:
    """Return True if the hidden folder has the collection that this one has replaced."""
    there = identity_of(hidden(path))
    if there is None or not is_collection(path):
        return False
    store = LocalStore.open(path, verify="size", read_only=True)
    try:
        with store.database.read() as connection:
            copied = read_copied(connection)
    finally:
        store.close()
    return copied is not None and copied[0] == there


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    if not is_collection(path):
        raise NotFoundError(f"{path} contains no collection")
    lock = path.with_name(f".reembed-{path.name}.lock")
    with exclusive(lock, wait=False) as held:
        if not held:
            raise ConflictError(f"{path}: another process re-embeds it; wait until it has finished")
        remove_abandoned(path.parent, _trash(path))
        yield
        lock.unlink(missing_ok=True)


@contextmanager
def _successor(
    path: Path, config: CollectionConfig, encoders: EncoderLoader
) -> Iterator[Collection]:
    """Open the unfinished successor of a collection, or create it."""
    folder = hidden(path)
    new = None
    if is_collection(folder):
        try:
            new = Collection.open(folder, encoders=encoders, verify="size")
            with new._local_store().database.read() as connection:
                predecessor, number = read_copied(connection) or (None, None)
            if new.config != config or number is None or predecessor != identity_of(path):
                new.close()
                new = None
        except (StorageError, NotFoundError):
            new = None
    if new is None:
        remove_tree(folder)
        new = Collection.create(folder, config, encoders=encoders)
        with new._local_store().database.write() as connection:
            record_copied(connection, identity_of(path) or "", 0)
    try:
        yield new
    finally:
        new.close()


def _replace(old: LocalStore, new: Collection, progress: Progress) -> Reembedded:
    path = old.directory
    total = _count(old)
    progress.start("reembed", total, "documents", new.count())
    copied, updated = 0, 0
    for _ in range(_PASSES):
        found = _copy(old, new, progress)
        more, updated = _copy_metadata(old, new, updated)
        found += more
        copied += found
        if found <= _FEW:
            break
    new._upkeep.wait()  # Writes must not be held for it.
    # No maintenance of the old collection may write into the folder after the exchange.
    with exclusive(path / LOCK, wait=True), frozen(path) as connection:
        began = time.monotonic()
        copied += _copy(old, new, NoProgress())  # A job cannot store its progress now.
        _copy_metadata(old, new, updated)
        gone = vanished_ids(new.path, path)
        for start in range(0, len(gone), _PAGE):
            new.delete(gone[start : start + _PAGE])
        hand_over(connection, path, new.path)
        with new._local_store().database.write() as last:
            record_copied(last, identity_of(path) or "", None)
        documents = new.count()
        new.close()
        exchange(path, new.path)
    return Reembedded(True, documents, copied, time.monotonic() - began)


def _copy(old: LocalStore, new: Collection, progress: Progress) -> int:
    """Copy the documents that were written since the last copy. Return their number."""
    store = new._local_store()
    with store.database.read() as connection:
        stored = read_copied(connection)
    assert stored is not None, "a successor records its predecessor"
    predecessor, number = stored
    assert number is not None, "it has not taken its predecessor's place"
    last, copied = number, 0

    def documents() -> Iterator[Document]:
        nonlocal last, copied
        while True:
            with old.database.read() as connection:
                page = newer_documents(connection, last, _PAGE)
            if not page:
                return
            for number, document in page:
                last = number
                copied += 1
                yield document
            progress.advance(len(page))

    def record(transaction: Transaction, _: object) -> None:
        record_copied(transaction, predecessor, last)

    new.add(documents(), record=record)
    with store.database.write() as connection:  # If the last documents were stored already.
        record_copied(connection, predecessor, last)
    return copied


def _copy_metadata(old: LocalStore, new: Collection, since: int) -> tuple[int, int]:
    """Copy the metadata that has changed since it was copied.

    since: generation of the latest change that is copied.

    Returns how many documents had changed, and the generation of the latest change.
    """
    with old.database.read() as connection:
        latest = last_update(connection)
    if latest == since:
        return 0, latest
    changed = {one.id: one for one in updated_documents(new.path, old.directory)}
    again: list[Document] = []

    def change(copy: Document) -> Document:
        if any(reads_differently(copy, changed[copy.id], new.config)):
            again.append(changed[copy.id])
            return copy
        return replace(copy, metadata=changed[copy.id].metadata)

    ids = list(changed)
    for start in range(0, len(ids), _PAGE):
        new.store.update(ids[start : start + _PAGE], change)
    new.add(again)
    return len(changed), latest


def _count(store: LocalStore) -> int:
    with store.view() as view:
        return view.count(None)
