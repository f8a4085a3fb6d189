"""Reports invalid records of input files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..core import SourceError

_NAMED = 3
"""Number of problems that the message of `NoDocumentError` names."""

OnError = Callable[[SourceError], None]


def report(error: SourceError, on_error: OnError | None) -> None:
    """Pass an error to the function `on_error`, so that reading continues after it.

    If `on_error` is None, raise the error.
    """
    if on_error is None:
        raise error
    on_error(error)


class NoDocumentError(SourceError):
    """Every file and record was refused, so that there is no document.

    reasons:  reason -> number of refused files and records.
    problems: errors of the refused files and records. If there are many, only the first errors.
    """

    def __init__(
        self, paths: Sequence[Path], reasons: Mapping[str, int], problems: Sequence[SourceError]
    ) -> None:
        count = sum(reasons.values())
        counts = ", ".join(f"{n} {why}" for why, n in Counter(reasons).most_common())
        first = "; ".join(map(str, problems[:_NAMED]))
        more = "; ..." if count > _NAMED else ""
        message = (
            f"no document could be read; {count:,} "
            f"{'file or record was' if count == 1 else 'files and records were'} refused "
            f"({counts}): {first}{more}; correct them, or name other files"
        )
        super().__init__(message, path=paths[0])
        self.reasons = reasons
        self.problems = problems
