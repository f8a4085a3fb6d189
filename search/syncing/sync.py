"""Syncs a collection with folders and files, once or repeatedly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...core import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    Progress,
)
from ...core import arguments as is_
from ...encoders import EncoderLoader, load_encoder
from ...index import CollectionConfig, LocalStore, check_free, is_collection, require
from ...index.arrays.files import exclusive
from ...sources import FieldNames, Limits
from ...sources.fields import DEFAULT_FIELDS
from ...sources.formats.limits import DEFAULT_LIMITS
from ...sources.listing import picture
from .. import parameters
from ..collection import Collection
from ..config_difference import config_difference
from ..encoding.leg_encoders import LegEncoders
from ..writing.cutting import check_document
from ..writing.writer import Writer
from .record import SyncRecord
from .report import MAX_REMOVED, SyncOptions, SyncReport
from .run import check_any, run_sync

LOCK = "sync.lock"
_NO_SOURCE = "must name at least one file or folder"


def _share(value: object, name: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= float(str(value)) <= 1:
        raise is_.refused(value, name, "a number between 0 and 1")


_CHECKS: dict[str, is_.Check] = {
    **{name: parameters.CREATE[name] for name in ("path", "config", "encoders")},
    "fields": is_.instance(FieldNames, "a FieldNames"),
    "limits": is_.instance(Limits, "a Limits"),
    "strict": is_.flag,
    "max_removed": _share,
    "reread": is_.flag,
    "exclude": parameters.list_of("a list of patterns", is_.text),
    "dry_run": is_.flag,
    **parameters.PROGRESS,
}


@is_.checked(**_CHECKS)
def sync(
    path: Path | str,
    paths: Iterable[Path | str] | Path | str,
    config: CollectionConfig | None = None,
    *,
    fields: FieldNames = DEFAULT_FIELDS,
    limits: Limits = DEFAULT_LIMITS,
    strict: bool = False,
    max_removed: float = MAX_REMOVED,
    reread: bool = False,
    exclude: Sequence[str] = (),
    dry_run: bool = False,
    progress: Progress | None = None,
    encoders: EncoderLoader = load_encoder,
) -> SyncReport:
    """Update the collection in the folder `path` to the state of files and folders.

    Creates the collection if there is none. Writes the documents of new and changed files. Deletes
    documents that earlier syncs of these paths wrote and that no file has now. Other documents of
    the collection stay. Files with unchanged content are not read again, and documents with
    unchanged content are not encoded again. The next sync completes an interrupted sync.

    paths:       files and folders. A file of records, such as JSON lines, must be given by its own
                 path, because it is skipped in a folder.
    config:      configuration of a new collection. An existing collection must have the same
                 configuration, unless `config` is None.
    fields:      names of the fields in files of records.
    limits:      limits on the size and reading time of a file, except for files of records.
    strict:      raise the first SourceError. False: report all in `SyncReport.problems`.
    max_removed: largest share of the documents of one path that may be deleted, from 0 to 1. The
                 limit protects the collection if a folder is empty because it is not mounted.
    reread:      read every file, even if its content is unchanged.
    exclude:     patterns of files and folders to skip in folders, such as `node_modules`.
    dry_run:     change nothing, and return what a sync would do.

    If a file cannot be read, its documents stay. Raises ConflictError if a larger share than
    `max_removed` would be deleted, or if another process is syncing this collection. Raises
    SourceError for a path that does not exist. If there is no collection and no document for a new
    one, raises SourceError with the reasons and creates nothing. Also raises the errors of
    `Collection.open_or_create`.

        report = twindex.sync("my-index", "notes/")
        print(len(report.new), len(report.changed), len(report.removed))
    """
    sources = _paths(paths)
    options = SyncOptions(fields, limits, strict, max_removed, reread, exclude)
    place = Path(path)
    if not is_collection(place):
        check_free(place)
        wanted = config or CollectionConfig()
        legs = LegEncoders(wanted, encoders)
        check_any(sources, options, lambda document: check_document(document, wanted, legs))
    if dry_run:
        return _dry_run(place, sources, options, config, encoders)
    with Collection.open_or_create(place, config, encoders=encoders) as collection:
        return Syncer(collection, sources, options).run(progress)


def _paths(value: Iterable[Path | str] | Path | str) -> list[Path]:
    if isinstance(value, str | Path):
        return [Path(value)]
    if not isinstance(value, Iterable):
        raise is_.refused(value, "paths", "a path, or a list of paths")
    given = list(value)
    if not given:
        raise InvalidInputError(_NO_SOURCE, field="paths")
    for number, one in enumerate(given):
        is_.path(one, f"paths[{number}]")
    return [Path(one) for one in given]


def _dry_run(
    path: Path,
    sources: list[Path],
    options: SyncOptions,
    config: CollectionConfig | None,
    encoders: EncoderLoader,
) -> SyncReport:
    try:
        opened = Collection.open(path, read_only=True, encoders=encoders)
    except NotFoundError:
        return run_sync(None, sources, options, check=lambda _: None, writer=None)
    with opened as collection:
        error = None if config is None else config_difference(collection.store, config)
        if error is not None:
            raise error
        return Syncer(collection, sources, options).dry_run()


class Syncer:
    """Syncs an open collection with files and folders, once for each call of `run`."""

    def __init__(self, collection: Collection, sources: Iterable[Path], options: SyncOptions):
        require(collection.store, "transactions")
        self._collection = collection
        self._sources = list(sources)
        self._options = options
        if not self._sources:
            raise InvalidInputError(_NO_SOURCE, field="paths")

    def run(self, progress: Progress | None = None) -> SyncReport:
        """Sync once, as `sync` describes.

        Raises ConflictError if another process is syncing this collection.
        """
        collection = self._collection
        collection._require_writable()

        def writer(record: SyncRecord) -> Writer:
            return collection._writer(progress, record=record.record, skip=record.skip)

        with exclusive(collection.path / LOCK, wait=False) as held:
            if not held:
                raise ConflictError(
                    f"{collection.path}: another process is syncing this collection; wait until it "
                    "has finished"
                )
            return self._run(writer=writer, after_write=collection._upkeep.after_write)

    def dry_run(self) -> SyncReport:
        """Return what `run` would do, and change nothing."""
        return self._run(writer=None)

    def picture(self) -> str:
        """Return a checksum of the names, sizes and times of all files, to notice a change.

        The files are not read.
        """
        return picture(self._sources, self._options.exclude)

    def _run(self, **options: Any) -> SyncReport:
        store = self._collection.store
        assert isinstance(store, LocalStore), "only local stores have transactions"
        check = self._collection.check_document
        return run_sync(store, self._sources, self._options, check=check, **options)
