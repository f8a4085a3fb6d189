"""Measures the speed of encoding, to choose batch sizes and to report progress."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from ...core import Progress
from ...encoders import EncoderConfig

BATCH_SECONDS = 60.0
"""Target time in seconds for encoding one batch. A crash loses at most the current batch."""

FIRST_DOCUMENTS = 8
"""Number of documents in the first batch. It is small because the speed is not known yet."""


class Pace:
    """Chooses the size of the next batch from the speed so far, and reports progress in documents.

    The encoders process a batch one after another. If an encoder took a third of the time of the
    earlier batches, it accounts for a third of the documents in the progress of a batch.

    encoders:      configurations of the encoders.
    max_documents: maximum number of documents in a batch.
    first:         number of documents in the first batch.
    """

    def __init__(
        self,
        progress: Progress,
        encoders: Sequence[EncoderConfig],
        *,
        max_documents: int,
        first: int,
    ) -> None:
        self._progress = progress
        self._max_documents = max_documents
        self._first = first
        self._documents = 0
        self._total_seconds = 0.0
        self._seconds = dict.fromkeys(encoders, 0.0)
        self._weights = dict.fromkeys(encoders, 1 / len(encoders))
        self._batch = 0
        self._reported = 0
        self._part = 0.0
        self._began = self._last = 0.0

    def documents(self) -> int:
        """Return the number of documents for the next batch."""
        if self._documents == 0:
            return self._first
        in_time = BATCH_SECONDS * self._documents / max(self._total_seconds, 1e-9)
        return max(1, min(self._max_documents, int(in_time)))

    def begin(self, documents: int) -> None:
        """Start measuring a batch with this number of documents."""
        self._batch, self._reported, self._part = documents, 0, 0.0
        self._began = self._last = perf_counter()
        if (spent := sum(self._seconds.values())) > 0:
            self._weights = {key: seconds / spent for key, seconds in self._seconds.items()}

    def read(self, encoder: EncoderConfig, n: int, *, of: int) -> None:
        """Record that an encoder has encoded `n` more texts of the batch, which has `of` texts."""
        now = perf_counter()
        self._seconds[encoder] += now - self._last
        self._last = now
        self._part += n / of * self._weights[encoder]
        self._report(int(self._part * self._batch))

    def complete(self) -> None:
        """Record that all encoders have encoded the whole batch."""
        self._documents += self._batch
        self._total_seconds += perf_counter() - self._began
        self._report(self._batch)

    def _report(self, documents: int) -> None:
        documents = min(documents, self._batch)
        self._progress.advance(documents - self._reported)
        self._reported = documents
