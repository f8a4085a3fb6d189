"""Writes documents in batches and skips those that the collection already stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...core import Document, Progress, Usage, WriteReport
from ...core.errors import count_written
from ...core.trace.spans import span
from ...encoders import EncoderConfig
from ...index import OutdatedError, Store, Transaction, Written
from ..encoding.courtesy import COURTESY, Slices
from ..encoding.leg_encoders import LegEncoders
from .ingest import BATCH_DOCUMENTS, batches, encode
from .pace import FIRST_DOCUMENTS, Pace


class Writer:
    """Writes documents to a collection in batches. Each batch is one transaction.

    bind:   function that loads and checks the encoders. It is called before each batch is encoded,
            but not for a batch whose documents are all stored already.
    count:  function called with the model usage of each encoded batch, before the batch is written.
    record: function called in the transaction of each batch, with the report on all batches up to
            and including this one.
    skip:   function called, outside a transaction, for each batch whose documents are all stored
            already. Its argument is id -> number of the stored version.
    check:  function called, in the transaction of each batch, with id -> document for the stored
            documents that would be replaced or are equal. An error that it raises is raised.
    """

    def __init__(
        self,
        store: Store,
        encoders: LegEncoders,
        *,
        bind: Callable[[], None],
        count: Callable[[Usage | None], None],
        progress: Progress,
        record: Callable[[Transaction, WriteReport], None] | None = None,
        skip: Callable[[Mapping[str, int]], None] | None = None,
        check: Callable[[Mapping[str, Document]], None] | None = None,
    ) -> None:
        self._store = store
        self._encoders = encoders
        self._bind = bind
        self._count = count
        self._progress = progress
        self._record = record
        self._skip = skip
        self._check = check
        groups = list(encoders.groups())
        self._pace = Pace(progress, groups, max_documents=BATCH_DOCUMENTS, first=FIRST_DOCUMENTS)
        self.report = WriteReport()
        """Report on all batches so far."""

    def write(self, documents: Iterable[Document | Mapping[str, object]]) -> Iterator[None]:
        """Write the documents. Yield after each batch, when the batch is durable.

        The attribute `written` of a raised TwindexError is the number of documents written so far.
        """
        with count_written(lambda: self.report.documents):
            yield from self._write_batches(documents)

    def _write_batches(
        self, documents: Iterable[Document | Mapping[str, object]]
    ) -> Iterator[None]:
        self._progress.start("add", None, "documents")
        slices = Slices(COURTESY)
        for batch in batches(documents, max_documents=self._pace.documents):
            unique = list({document.id: document for document in batch}.values())
            # Vectors are not compared, so a document with its own vectors is always written.
            known = self._store.unchanged([one for one in unique if not one.brings])
            if skipped := len(batch) - len(unique) + len(known):
                self._progress.advance(skipped)
            if len(known) == len(unique):
                if self._check is not None:
                    self._check({one.id: one for one in unique})
                self.report += WriteReport(unchanged=len(known))
                if self._skip is not None:
                    self._skip(known)
                continue
            try:
                self._write([one for one in unique if one.id not in known], known, slices)
            except OutdatedError:  # Another writer replaced or deleted some of `known`.
                self._write(unique, {}, slices)
            yield
            slices.pause()

    def _write(
        self, documents: Sequence[Document], known: Mapping[str, int], slices: Slices
    ) -> None:
        self._bind()
        self._pace.begin(len(documents))
        config = self._store.config

        def advance(encoder: EncoderConfig, n: int, *, of: int) -> None:
            self._pace.read(encoder, n, of=of)
            slices.pause()

        with span("encode", {"twindex.documents": len(documents)}) as found:
            encoded = encode(documents, config, self._encoders, advance=advance, pause=slices.pause)
            found["twindex.passages"] = encoded.passages
        self._pace.complete()
        self._count(encoded.usage)

        def record(transaction: Transaction, written: Written) -> None:
            self.report += WriteReport(
                written.documents,
                written.replaced,
                encoded.passages,
                encoded.truncated,
                encoded.usage,
                len(known),
            )
            if self._record is not None:
                self._record(transaction, self.report)

        before = self.report
        try:
            with span("commit", {"twindex.documents": len(documents)}):
                more: dict[str, Any] = {} if self._check is None else {"check": self._check}
                self._store.write(
                    encoded.documents, encoded.legs, unchanged=known, record=record, **more
                )
        except BaseException:
            self.report = before  # The transaction was rolled back after `record`.
            raise
