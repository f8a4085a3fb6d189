"""Maintenance of a collection in the background, one at a time."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from ...index import LocalStore, Store, maintain

log = logging.getLogger(__name__)


class Upkeep:
    """Seals and merges a collection in a thread when enough has been written."""

    def __init__(self, store: Store) -> None:
        self.failure: str | None = None
        """Why the last maintenance failed; None when it did not."""
        # Stores elsewhere maintain themselves.
        self._store = store if isinstance(store, LocalStore) else None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="twindex-maintenance")
        self._pending: Future[None] | None = None
        self._lock = Lock()

    def after_write(self) -> None:
        """Begin maintenance if it is due and none is under way."""
        store = self._store
        if store is None or store.pending() < store.config.sealed_at:
            return
        with self._lock:
            if self._pending is None or self._pending.done():
                self._pending = self._executor.submit(self._seal_and_merge, store)

    def close(self) -> None:
        """Wait for maintenance under way."""
        self._executor.shutdown(wait=True)

    def _seal_and_merge(self, store: LocalStore) -> None:
        try:
            maintain(store)
            self.failure = None
        except Exception as error:
            # Writes and searches go on without it; `info` shows the reason.
            self.failure = f"{type(error).__name__}: {error}"
            log.exception("maintenance of %s failed", store.directory)
