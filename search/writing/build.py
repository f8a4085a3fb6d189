"""Builds a whole collection within a memory budget. An interrupted build can be resumed."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core import (
    ConfigError,
    ConflictError,
    Document,
    InvalidInputError,
    NoProgress,
    Progress,
    StorageError,
    Usage,
    WriteReport,
)
from ...core.memory import peak_bytes
from ...encoders import EncoderLoader, load_encoder
from ...index import (
    CollectionConfig,
    Consumed,
    LocalStore,
    append_shard,
    check_free,
    consumed,
    finish,
    resume,
)
from ...index.arrays.files import exclusive
from ...index.models import absolute
from ...sources import CheckedDocuments, with_vectors
from ..encoding.leg_encoders import LegEncoders
from .ingest import Refused, batches, encode, writable
from .pace import FIRST_DOCUMENTS, Pace

LOCK = "build.lock"
SHARD_DOCUMENTS = 2_000
"""Maximum number of documents in a shard, the unit in which a build stores its progress.

A killed build loses at most the shard that it was encoding."""
BYTES_PER_CHARACTER = 64
"""Estimated working memory in bytes for each character of a shard: text, terms and vectors."""
ENCODING_BYTES = 192 << 20
"""Memory in bytes reserved for the activations of the models."""
DEFAULT_WORKING_BYTES = 1 << 30
LEAST_WORKING_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The result of a build.

    documents:  number of documents in the collection.
    passages:   number of passages in the collection.
    truncated:  leg -> number of passages too long for the leg's encoder, in this run.
    resumed_at: number of input documents that earlier, interrupted runs of this build had stored.
    duplicates: number of input documents that were replaced by a later one with the same id.
    seconds:    duration of this run.
    usage:      usage of language models in this run; None if no leg uses one.
    """

    documents: int
    passages: int
    truncated: Mapping[str, int]
    resumed_at: int
    duplicates: int
    seconds: float
    usage: Usage | None = None


def build(
    path: Path | str,
    documents: Iterable[Document | Mapping[str, object]],
    config: CollectionConfig | None = None,
    *,
    vectors: Mapping[str, Any] | None = None,
    memory_budget: int | None = None,
    total: int | None = None,
    progress: Progress | None = None,
    encoders: EncoderLoader = load_encoder,
    refused: Refused | None = None,
) -> BuildReport:
    """Build a new collection in the folder `path` from all `documents`.

    To continue an interrupted build, call `build` again with the same arguments. An interruption
    loses at most about a minute of encoding.

    vectors: leg -> the documents' vectors, row n for document n; see `Collection.add`.
    memory_budget: bytes that the whole process may use, including loaded models. None: the build
        may use 1 GiB in addition to the models.
    total: number of documents, for the progress display; None if it is not known.
    refused: function called for each document that cannot be written; see `Collection.add`.

    Raises InvalidInputError, and creates nothing, if all documents are refused. Raises
    ConflictError if the folder holds a finished collection, an unfinished collection with another
    configuration, or other files. Also raises ConflictError if another process is building in the
    folder. Raises ConfigError if `memory_budget` is too small for the models.
    """
    began = time.perf_counter()
    path = Path(path)
    progress = progress or NoProgress()
    config = absolute(config or CollectionConfig(), encoders)
    if vectors is not None:
        documents = with_vectors(documents, vectors)
    legs = LegEncoders(config, encoders)
    is_new = not os.path.isdir(path)  # Also if its parent is not readable.
    if is_new:
        legs.fingerprints()  # A missing model must not leave a folder behind.
        legs.check_widths()
        _make_folder(path)
    counted = _Counted(refused)
    accepted = writable(documents, config, legs, None if refused is None else counted)
    with exclusive(path / LOCK, wait=False) as held:
        if not held:
            raise ConflictError(
                f"{path}: another process is building this collection; wait until it has finished"
            )
        try:
            store = resume(path, config)
            if store is None:
                check_free(path)
                legs.fingerprints()
                legs.check_widths()
                first = list(itertools.islice(accepted, 1))
                if not first and counted.first is not None:
                    raise counted.error()
                accepted = CheckedDocuments(itertools.chain(first, accepted))
                store = LocalStore.create(path, config, state="building")
        except BaseException:
            _remove_lock(path)
            if is_new:
                with suppress(OSError):
                    path.rmdir()
            raise
        try:
            legs.set_stored_fingerprints(store.bind(legs.fingerprints()))
            legs.fingerprints()
            working = _working_bytes(memory_budget)
            earlier = consumed(store)
            remaining = _remaining_documents(accepted, earlier, path)
            read = earlier
            done = WriteReport()
            progress.start("encode", total, "documents", earlier.documents)
            size = working // 2 // BYTES_PER_CHARACTER
            pace = Pace(
                progress, list(legs.groups()), max_documents=SHARD_DOCUMENTS, first=FIRST_DOCUMENTS
            )
            for shard in batches(remaining, max_documents=pace.documents, characters=size):
                for document in shard:
                    read = read.after(document)
                unique = list({document.id: document for document in shard}.values())
                pace.begin(len(shard))
                encoded = encode(unique, store.config, legs, advance=pace.read)
                pace.complete()
                append_shard(store, encoded.documents, encoded.legs, read)
                done += WriteReport(truncated=encoded.truncated, usage=encoded.usage)
            stored, passages = finish(store, working // 2, progress)
            _remove_lock(path)
        finally:
            store.close()
            progress.close()
    return BuildReport(
        documents=stored,
        passages=passages,
        truncated=done.truncated,
        resumed_at=earlier.documents,
        duplicates=read.documents - stored,
        seconds=time.perf_counter() - began,
        usage=done.usage,
    )


class _Counted:
    """Counts refused documents, and passes them on. first: the first of them, with its error."""

    def __init__(self, refused: Refused | None) -> None:
        self.first: tuple[Document, InvalidInputError] | None = None
        self._count = 0
        self._refused = refused

    def __call__(self, document: Document, error: InvalidInputError) -> None:
        self._count += 1
        self.first = self.first or (document, error)
        if self._refused is not None:
            self._refused(document, error)

    def error(self) -> InvalidInputError:
        """Return an error that says that all documents were refused, and why the first one was."""
        assert self.first is not None
        document, error = self.first
        reason = str(error) if repr(document.id) in str(error) else f"{document.id!r}: {error}"
        return InvalidInputError(
            f"all {self._count:,} were refused, first document {reason}; nothing was built",
            field="documents",
        )


def _remaining_documents(
    documents: CheckedDocuments, done: Consumed, path: Path
) -> CheckedDocuments:
    """Return the documents that an interrupted build has not stored yet.

    documents: all input documents.
    done:      number of input documents that the interrupted build has stored, and their checksum.

    Raises ConflictError if `documents` does not start with the stored documents.
    """
    seen = Consumed()
    for document in itertools.islice(documents, done.documents):
        seen = seen.after(document)
    if seen != done:
        raise ConflictError(
            f"{path}: the first {done.documents} input documents differ from those of the "
            "interrupted build; pass the same input to continue it, or remove the folder to start "
            "again"
        )
    return documents


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: cannot be created ({error})") from error


def _remove_lock(path: Path) -> None:
    """Remove the lock file. Only the process that holds the lock may call this."""
    (path / LOCK).unlink(missing_ok=True)


def _working_bytes(budget: int | None) -> int:
    if budget is None:
        return DEFAULT_WORKING_BYTES
    taken = peak_bytes() + ENCODING_BYTES
    if budget - taken < LEAST_WORKING_BYTES:
        least = (taken + LEAST_WORKING_BYTES) / 1e6
        raise ConfigError(
            f"must be at least {least:.0f} MB, got {budget / 1e6:.0f} MB; the models and libraries "
            f"need {taken / 1e6:.0f} MB",
            field="memory_budget",
        )
    return budget - taken
