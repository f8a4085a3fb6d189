"""Base class of objects that hold resources and are closed at the end of a `with` block."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closing:
    """Base class of context managers. The end of a `with` block calls `close`."""

    def close(self) -> None:
        """Release all resources. The end of a `with` block calls this method once."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
