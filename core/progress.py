"""Progress of long work, told to whoever wants to know: a bar, a job row, or nobody."""

from __future__ import annotations

from typing import Any, Protocol

from .closing import Closing


class Progress(Protocol):
    """Receives the state of one piece of long work."""

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None:
        """A stage begins; `total` is None when it is not known, `done` when it is resumed."""

    def advance(self, n: int = 1) -> None:
        """`n` more units are done."""

    def close(self) -> None:
        """The work has ended, well or not."""


class NoProgress:
    """Tells nobody."""

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None: ...

    def advance(self, n: int = 1) -> None: ...

    def close(self) -> None: ...


class BarProgress(Closing):
    """A progress bar with the time left, on standard error."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None:
        from tqdm import tqdm

        self.close()
        # Texts go in batches by length, so the mean rate says more than the latest (smoothing); and
        # a slow stage after a quick one should not wait for as large steps (miniters).
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
