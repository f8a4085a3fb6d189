"""Updates a collection to the state of folders and files: new, changed and removed documents.

Each batch of documents is written and recorded in one transaction, and documents are deleted last.
Therefore a sync may be interrupted at any point, and the next sync completes it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ...core import (
    ConflictError,
    Document,
    WriteReport,
)
from ...index import LocalStore
from ...index.store.manifest import Manifest, Synced, SyncedDocument
from ...sources import CheckedDocuments
from ...sources.errors import NoDocumentError
from ...sources.listing import Listing, SourceFile, check_path, list_source
from ...sources.survey import survey_listings
from ..writing.ingest import BATCH_DOCUMENTS, batches
from ..writing.writer import Writer
from .claims import Claims
from .protection import NOT_DELETED, NOTHING, WRITTEN, check_share, documents_by_source
from .reading import SyncReading
from .record import SyncRecord
from .report import SyncOptions, SyncReport


def run_sync(
    store: LocalStore | None,
    paths: Iterable[Path],
    options: SyncOptions,
    *,
    check: Callable[[Document], None],
    writer: Callable[[SyncRecord], Writer] | None,
    after_write: Callable[[], None] = lambda: None,
) -> SyncReport:
    """Sync a collection with files and folders, or find out what a sync would do (a dry run).

    store:       the collection; None for a dry run of a collection that does not exist yet.
    paths:       the files and folders.
    options:     options of the sync; `sync` explains them.
    check:       function that raises InvalidInputError for a document that cannot be indexed.
    writer:      function that returns a Writer, which calls `record` and `skip` of the SyncRecord.
                 None: a dry run.
    after_write: function that is called when a batch has become durable.
    """
    began = time.perf_counter()
    manifest = None if store is None else Manifest(store)
    if manifest is not None and writer is not None:
        manifest.create()
    synced = Synced() if manifest is None else manifest.load()
    listings = _listings(paths, options.exclude, synced)
    gone = _gone(listings, synced)
    lost = Counter({number: synced.documents.get(number, 0) for number in gone})
    check_share(lost, synced, listings, options.max_removed, outcome=NOTHING)
    claims = Claims(manifest, synced, {one.source for one in listings}, gone)
    record = SyncRecord(None if writer is None else manifest, synced, claims)
    reading = _reading(record, synced, claims, manifest, options, check)
    for listing in listings:
        for name, error in listing.unread:
            reading.report((listing.source, name), error)
    files = _ordered(listings, synced)
    if writer is not None:
        written = _write(reading, files, writer(record), after_write)
        record.flush()
    else:
        written = _compare(reading, files, store, manifest)
    doomed = _doomed(manifest, claims, synced, listings)
    deleted = len(doomed)
    lost = Counter(one.file for one in doomed)
    if manifest is None or writer is None:
        check_share(lost, synced, listings, options.max_removed, outcome=NOTHING)
    else:
        outcome = WRITTEN if written.documents else NOT_DELETED
        try:
            check_share(lost, synced, listings, options.max_removed, outcome=outcome)
        except ConflictError:
            manifest.keep_complete(documents_by_source(synced))
            raise
        deleted = manifest.delete(doomed, gone)
        manifest.complete({one.source for one in listings})
        after_write()
    return SyncReport(
        new=reading.new,
        changed=reading.changed,
        removed=[_shown(listings, synced, number) for number in gone],
        unchanged=len(reading.unchanged),
        reread=len(reading.reread),
        documents=written.documents,
        replaced=written.replaced,
        deleted=deleted,
        kept=sum(reading.kept.values()),
        passages=written.passages,
        truncated=written.truncated,
        problems=reading.all_problems(),
        reasons=reading.all_reasons(),
        files=survey_listings(listings),
        dry_run=writer is None,
        seconds=time.perf_counter() - began,
        usage=written.usage,
    )


def check_any(
    paths: Iterable[Path], options: SyncOptions, check: Callable[[Document], None]
) -> None:
    """Raise SourceError if the sources have no document. Reads only until the first document.

    `sync` calls this function before it creates a collection, so as never to create an empty one.

    check: function that raises InvalidInputError for a document that cannot be indexed.
    """
    synced = Synced()
    listings = _listings(paths, options.exclude, synced)
    files = _ordered(listings, synced)
    if not files:
        listings[0].check_any(options.exclude)
    claims = Claims(None, synced, {one.source for one in listings}, ())
    reading = _reading(SyncRecord(None, synced, claims), synced, claims, None, options, check)
    if any(True for _ in reading.documents(files)):
        return
    raise NoDocumentError(
        [one.path for one in listings], reading.all_reasons(), reading.all_problems()
    )


def _reading(
    record: SyncRecord,
    synced: Synced,
    claims: Claims,
    manifest: Manifest | None,
    options: SyncOptions,
    check: Callable[[Document], None],
) -> SyncReading:
    return SyncReading(
        record,
        synced,
        claims,
        earlier=(lambda _: ()) if manifest is None else manifest.documents_of,
        stored=(lambda _: None) if manifest is None else manifest.stored,
        check=check,
        fields=options.fields,
        limits=options.limits,
        reread=options.reread,
        strict=options.strict,
    )


def _listings(paths: Iterable[Path], exclude: Sequence[str], synced: Synced) -> list[Listing]:
    """List the files of each source. Raises SourceError for a source that does not exist.

    A source that an earlier sync recorded may be missing now: then all its files are removed.
    """
    known = {source for source, _ in synced.files}
    found = (list_source(path, exclude) for path in paths)
    listings = list({one.source: one for one in found}.values())
    for one in listings:
        if not one.found and one.source not in known:
            check_path(one.path)
    return listings


def _gone(listings: Sequence[Listing], synced: Synced) -> list[int]:
    """Return the numbers of the recorded files that no longer exist, in the order of their paths.

    Files in a folder that cannot be read now may still exist, and are not returned.
    """
    present = {file.key for listing in listings for file in listing.files}
    by_source = {listing.source: listing for listing in listings}
    return [
        known.number
        for key, known in sorted(synced.files.items())
        if key not in present
        and known.source in by_source
        and not by_source[known.source].covers(known.name)
    ]


def _ordered(listings: Sequence[Listing], synced: Synced) -> list[SourceFile]:
    """Return all files. Files of earlier syncs come first, because they keep their document ids."""
    files = [file for listing in listings for file in listing.files]
    return sorted(files, key=lambda file: file.key not in synced.files)


def _write(
    reading: SyncReading,
    files: Sequence[SourceFile],
    writer: Writer,
    after_write: Callable[[], None],
) -> WriteReport:
    """Write the documents of changed files, and record which file each came from."""
    for _ in writer.write(CheckedDocuments(reading.documents(files))):
        after_write()
    while waiting := reading.waiting():
        for _ in writer.write(CheckedDocuments(reading.documents_again(waiting))):
            after_write()
    return writer.report


def _compare(
    reading: SyncReading,
    files: Sequence[SourceFile],
    store: LocalStore | None,
    manifest: Manifest | None,
) -> WriteReport:
    """Return the report that `_write` would return, without writing (for a dry run)."""
    ids: dict[str, bool] = {}

    def compare(documents: Iterable[Document]) -> None:
        for batch in batches(CheckedDocuments(documents), max_documents=lambda: BATCH_DOCUMENTS):
            same = (
                {} if store is None else store.unchanged([one for one in batch if not one.brings])
            )
            ids.update({one.id: one.id not in same for one in batch})

    compare(reading.documents(files))
    while waiting := reading.waiting():
        compare(reading.documents_again(waiting))
    changed = [id_ for id_, differs in ids.items() if differs]
    replaced = 0 if manifest is None else manifest.count_stored(changed)
    return WriteReport(documents=len(changed), replaced=replaced, unchanged=len(ids) - len(changed))


def _doomed(
    manifest: Manifest | None, claims: Claims, synced: Synced, listings: Sequence[Listing]
) -> list[SyncedDocument]:
    """Return the stored documents that must be deleted, because no synced file has them now."""
    if manifest is None:
        return []
    sources = {listing.source for listing in listings}
    found = {one.id: one for number in claims.gone for one in manifest.documents_of(number)}
    for one in manifest.retired():
        file = synced.by_number.get(one.file)
        if file is None or file.source in sources:
            found[one.id] = one
    for id_ in claims.retired:  # In a dry run, they are not recorded as retired.
        if id_ not in found and (retired := manifest.find(id_)) is not None:
            found[id_] = retired
    return [one for id_, one in found.items() if id_ not in claims.claimed]


def _shown(listings: Sequence[Listing], synced: Synced, number: int) -> Path:
    """Return the path of a recorded file, relative if the caller gave a relative path."""
    file = synced.by_number[number]
    return next(one.path for one in listings if one.source == file.source) / file.name
