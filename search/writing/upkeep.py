"""Runs the maintenance of a collection in a background thread, one run at a time."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from ...core import TwindexError
from ...index import LocalStore, Store, maintain

log = logging.getLogger(__name__)


class Upkeep:
    """Seals and merges the segments of a collection in a background thread after enough writes."""

    def __init__(self, store: Store) -> None:
        self.failure: str | None = None
        """Error of the last maintenance run; None if the run succeeded or there was none."""
        # A store that is not a local folder does its own maintenance.
        self._store = store if isinstance(store, LocalStore) else None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="twindex-maintenance")
        self._pending: Future[None] | None = None
        self._lock = Lock()

    def after_write(self) -> None:
        """Start maintenance if enough documents wait to be sealed and no maintenance is running."""
        store = self._store
        if store is None or store.pending() < store.config.sealed_at:
            return
        with self._lock:
            if self._pending is None or self._pending.done():
                self._pending = self._executor.submit(self._seal_and_merge, store)

    def wait(self) -> None:
        """Wait until running maintenance has finished."""
        with self._lock:
            pending = self._pending
        if pending is not None:
            pending.result()

    def close(self) -> None:
        """Wait until running maintenance has finished."""
        self._executor.shutdown(wait=True)

    def _seal_and_merge(self, store: LocalStore) -> None:
        try:
            maintain(store)
            self.failure = None
        except Exception as error:
            # Writes and searches continue without maintenance; `info` shows the error.
            self.failure = f"{type(error).__name__}: {error}"
            if isinstance(error, TwindexError):  # Another process has replaced the collection, ...
                log.error("maintenance of %s failed: %s", store.directory, error)
            else:
                log.exception("maintenance of %s failed", store.directory)
