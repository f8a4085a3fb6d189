"""How fast encoding goes: what that says of the next batch, and of the progress within one."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from ...core import Progress
from ...encoders import EncoderConfig

BATCH_SECONDS = 60.0
"""About how long a batch may take to encode: it becomes durable as a whole."""

FIRST_DOCUMENTS = 8
"""Of the first batch, which is small because the speed is not known."""


class Pace:
    """The speed of the encoders so far, and the progress told in documents.

    Encoders take turns at a batch, and each counts its own texts. Each stands for a share of the
    documents: that which it took of the time for earlier batches.

    most:  documents of a batch. first: of the first one, when the speed is not known.
    """

    def __init__(
        self, progress: Progress, encoders: Sequence[EncoderConfig], *, most: int, first: int
    ) -> None:
        self._progress = progress
        self._most = most
        self._first = first
        self._documents = 0
        self._total_seconds = 0.0
        self._seconds = dict.fromkeys(encoders, 0.0)
        self._weights = dict.fromkeys(encoders, 1 / len(encoders))
        self._batch = 0
        self._told = 0
        self._part = 0.0
        self._began = self._last = 0.0

    def documents(self) -> int:
        """How many the next batch should have."""
        if self._documents == 0:
            return self._first
        in_time = BATCH_SECONDS * self._documents / max(self._total_seconds, 1e-9)
        return max(1, min(self._most, int(in_time)))

    def begin(self, documents: int) -> None:
        """A batch of so many documents is encoded from now on."""
        self._batch, self._told, self._part = documents, 0, 0.0
        self._began = self._last = perf_counter()
        if (spent := sum(self._seconds.values())) > 0:
            self._weights = {key: seconds / spent for key, seconds in self._seconds.items()}

    def read(self, encoder: EncoderConfig, n: int, *, of: int) -> None:
        """An encoder has read `n` more of the `of` texts of the batch."""
        now = perf_counter()
        self._seconds[encoder] += now - self._last
        self._last = now
        self._part += n / of * self._weights[encoder]
        self._tell(int(self._part * self._batch))

    def complete(self) -> None:
        """The batch is encoded."""
        self._documents += self._batch
        self._total_seconds += perf_counter() - self._began
        self._tell(self._batch)

    def _tell(self, documents: int) -> None:
        documents = min(documents, self._batch)
        self._progress.advance(documents - self._told)
        self._told = documents
