"""Building a collection offline, in one go, within a memory budget; resumed when interrupted."""

from __future__ import annotations

import itertools
import os
import resource
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...core import (
    ConfigError,
    ConflictError,
    Document,
    NoProgress,
    Progress,
    StorageError,
    Usage,
    WriteReport,
)
from ...encoders import EncoderLoader, load_encoder
from ...index import CollectionConfig, Consumed, LocalStore, append_shard, consumed, finish, resume
from ...index.arrays.files import exclusive
from ...index.models import absolute
from ...sources import CheckedDocuments, checked_documents
from ..encoding.leg_encoders import LegEncoders
from .ingest import batches, encode
from .pace import FIRST_DOCUMENTS, Pace

LOCK = "build.lock"
SHARD_DOCUMENTS = 2_000
"""A shard is what a kill can lose: at most so many documents, and about as many as are encoded in
`BATCH_SECONDS`."""
BYTES_PER_CHARACTER = 64
"""Working memory that a character of a shard is counted with: text, terms, vectors, postings."""
ENCODING_BYTES = 192 << 20
"""Set aside for the activations of the models."""
DEFAULT_WORKING_BYTES = 1 << 30
LEAST_WORKING_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    documents, passages: in the collection. truncated: leg -> passages encoded in this run whose
    end its encoder did not read. resumed_at: documents of the input that an earlier, interrupted
    run had done. duplicates: input documents whose id came again later (the last one counts).
    seconds: of this run. usage: what language models did in this run; None where no leg has one.
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
    memory_budget: int | None = None,
    total: int | None = None,
    progress: Progress | None = None,
    encoders: EncoderLoader = load_encoder,
) -> BuildReport:
    """Build a collection from all `documents`.

    What a kill loses is at most about a minute of encoding. To continue an interrupted build, call
    it again with the same documents and configuration.
    Raises ConflictError when the folder holds a finished collection, an unfinished one of another
    configuration, or is being built by another process.

    memory_budget: bytes that the whole process may take, loaded models included; None bounds only
    what the build adds, by 1 GiB. Raises ConfigError when the models leave too little of it.
    total: the number of documents, if known, for the progress.
    """
    began = time.perf_counter()
    path = Path(path)
    progress = progress or NoProgress()
    config = absolute(config or CollectionConfig(), encoders)
    legs = LegEncoders(config, encoders)
    if not os.path.isdir(path):  # Also where nobody may look.
        legs.fingerprints()  # What cannot be loaded should leave nothing behind.
        legs.check_widths()
        _make_folder(path)
    with exclusive(path / LOCK, wait=False) as held:
        if not held:
            raise ConflictError(f"{path}: another process is building it")
        try:
            store = resume(path, config)
            if store is None:
                legs.fingerprints()
                legs.check_widths()
                store = LocalStore.create(path, config, state="building")
        except BaseException:
            _remove_lock(path)
            raise
        try:
            legs.expect(store.bind(legs.fingerprints()))
            legs.fingerprints()
            working = _working_bytes(memory_budget)
            earlier = consumed(store)
            rest = _rest(checked_documents(documents), earlier, path)
            read = earlier
            done = WriteReport()
            progress.start("encode", total, "documents", earlier.documents)
            size = working // 2 // BYTES_PER_CHARACTER
            pace = Pace(progress, list(legs.groups()), most=SHARD_DOCUMENTS, first=FIRST_DOCUMENTS)
            for shard in batches(rest, most=pace.documents, characters=size):
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


def _rest(documents: CheckedDocuments, done: Consumed, path: Path) -> CheckedDocuments:
    """The documents after those that an interrupted build has done, which must be the same."""
    seen = Consumed()
    for document in itertools.islice(documents, done.documents):
        seen = seen.after(document)
    if seen != done:
        raise ConflictError(
            f"{path}: the first {done.documents} documents are not those of the interrupted "
            "build; give the same input to continue it, or remove the folder to start anew"
        )
    return documents


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: cannot be created: {error}") from error


def _remove_lock(path: Path) -> None:
    """Only by who holds it. Who waits for the old file finds the build finished."""
    (path / LOCK).unlink(missing_ok=True)


def _working_bytes(budget: int | None) -> int:
    if budget is None:
        return DEFAULT_WORKING_BYTES
    taken = _peak_bytes() + ENCODING_BYTES
    if budget - taken < LEAST_WORKING_BYTES:
        least = (taken + LEAST_WORKING_BYTES) / 1e6
        raise ConfigError(
            f"{budget / 1e6:.0f} MB are too few: the models and libraries leave no room to work; "
            f"give at least {least:.0f} MB",
            field="memory_budget",
        )
    return budget - taken


def _peak_bytes() -> int:
    """The most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
