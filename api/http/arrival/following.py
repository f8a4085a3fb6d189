"""What a worker does beside its requests: it follows the writer, and publishes its own state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from ...serving.measuring.metrics import Metrics
from ...serving.operations.workers import Place
from ...serving.service import Service

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
LOAD_SECONDS = 60.0
"""Maximum time that a worker which replaces another loads collections before it answers."""
_SECOND = 10
"""Ticks in a second."""


class Follower:
    """Finds collections that the writer created, deleted or replaced.

    place: place of this worker.
    """

    def __init__(self, service: Service, metrics: Metrics, place: Place) -> None:
        self._service = service
        self._metrics = metrics
        self._board = place.board
        self._number = place.number
        self._lock = asyncio.Lock()
        self._seen = -1

    async def catch_up(self) -> None:
        """Open, close and reopen collections until this worker has those of the writer."""
        if self._seen == self._board.changes or self._service.writes:
            return
        async with self._lock:
            changes = self._board.changes
            if self._seen != changes and not self._service.loading:
                await asyncio.to_thread(self._service.collections)
                self._seen = changes

    def _reload(self) -> None:
        """Reload what the writer has reloaded."""
        if not self._service.writes:
            self._service.reloading.attempt()
        self._board.reloaded(self._number)

    async def loaded(self) -> None:
        """Wait until collections and models are loaded, but not longer than LOAD_SECONDS."""
        until = monotonic() + LOAD_SECONDS
        while self._service.loading and monotonic() < until:
            await asyncio.sleep(TICK_SECONDS / 2)

    async def attend(self, publish: Callable[[], object]) -> None:
        """Publish the state and the metrics of this worker, until cancelled.

        publish: called often, to publish more.
        """
        ticks = 0
        while True:
            publish()
            if self._board.state(self._number) == "loading" and not self._service.loading:
                self._board.enter(self._number, "ready")
            if self._board.must_reload(self._number) and not self._service.loading:
                await asyncio.to_thread(self._reload)
            if ticks % _SECOND == 0:
                try:
                    await self.catch_up()
                    await asyncio.to_thread(self._metrics.mirror)
                except Exception:
                    logger.exception("following the writer failed; it is tried again")
            ticks += 1
            await asyncio.sleep(TICK_SECONDS)
