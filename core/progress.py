"""Reports the progress of long operations."""

from __future__ import annotations

from typing import Any, Protocol

from .closing import Closing


class Progress(Protocol):
    """Receives the progress of a long operation."""

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None:
        """Begin a stage of the operation.

        stage: name of the stage.
        total: number of units of work; None if it is unknown.
        unit:  name of a unit, such as "documents".
        done:  number of units that an interrupted run completed.
        """

    def advance(self, n: int = 1) -> None:
        """Record that `n` more units are done."""

    def close(self) -> None:
        """End the operation, after success or failure."""


class NoProgress:
    """A progress receiver that ignores everything."""

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None: ...

    def advance(self, n: int = 1) -> None: ...

    def close(self) -> None: ...


class BarProgress(Closing):
    """A progress bar on standard error, with the estimated time left."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None:
        from tqdm import tqdm

        self.close()
        # Batches are sorted by text length, so the mean rate predicts better than the latest rate
        # (smoothing=0). A slow stage after a fast one must still update often (miniters=1).
        self._bar = tqdm(
            total=total,
            initial=done,
            desc=stage,
            unit=f" {unit}",
            leave=True,
            smoothing=0,
            miniters=1,
        )

    def advance(self, n: int = 1) -> None:
        if self._bar is not None:
            self._bar.update(n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
