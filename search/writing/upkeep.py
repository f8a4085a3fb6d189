"""Maintenance of a collection in the background, one at a time."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from ...index import LocalStore, maintain

log = logging.getLogger(__name__)


class Upkeep:
    """Seals and merges a collection in a thread when enough has been written."""

    def __init__(self, store: LocalStore) -> None:
        self.failure: str | None = None
        """Why the last maintenance failed; None when it did not."""
        self._collection = store
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="twindex-maintenance")
        self._pending: Future[None] | None = None
        self._lock = Lock()

    def after_write(self) -> None:
        """Begin maintenance if it is due and none is under way."""
        if self._collection.pending() < self._collection.config.sealed_at:
            return
        with self._lock:
            if self._pending is None or self._pending.done():
                self._pending = self._executor.submit(self._seal_and_merge)

    def close(self) -> None:
        """Wait for maintenance under way."""
        self._executor.shutdown(wait=True)

    def _seal_and_merge(self) -> None:
        try:
            maintain(self._collection)
            self.failure = None
        except Exception as error:
            # Writes and searches go on without it; `info` shows the reason.
            self.failure = f"{type(error).__name__}: {error}"
            log.exception("maintenance of %s failed", self._collection.directory)
