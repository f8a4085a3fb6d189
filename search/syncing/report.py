"""The options of a sync, and its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core import SourceError, Usage
from ...sources import FieldNames, Limits, Survey
from ...sources.fields import DEFAULT_FIELDS
from ...sources.formats.limits import DEFAULT_LIMITS

MAX_REMOVED = 0.5
"""Default of `SyncOptions.max_removed`."""


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """Options of a sync. `sync` explains them."""

    fields: FieldNames = DEFAULT_FIELDS
    limits: Limits = DEFAULT_LIMITS
    strict: bool = False
    max_removed: float = MAX_REMOVED
    reread: bool = False
    exclude: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The result of a sync. A dry run reports what a sync would do.

    new, changed, removed: paths of files that were added, changed or removed since the last sync.
    unchanged: number of files with the same content as at the last sync.
    reread:    number of files that were read again although their content is unchanged. Reasons are
               a change of their documents by another write, an id that became free, and a change of
               the options of the sync or of the release.
    documents: number of documents that were written.
    replaced:  number of written documents that replaced a stored document.
    deleted:   number of documents that were deleted.
    kept:      number of documents that are kept although their file cannot be read now.
    passages:  number of passages that were encoded. 0 for a dry run.
    truncated: leg -> number of passages that its encoder cut.
    problems:  files and records that are not indexed; at most 100 of each file.
    reasons:   reason -> number of problems.
    files:     how many files of the sources are read and how many are skipped, for each kind of
               file.
    dry_run:   True if nothing was changed.
    seconds:   duration.
    usage:     usage of language models; None if no leg uses one.
    """

    new: Sequence[Path]
    changed: Sequence[Path]
    removed: Sequence[Path]
    unchanged: int
    reread: int
    documents: int
    replaced: int
    deleted: int
    kept: int
    passages: int
    truncated: Mapping[str, int]
    problems: Sequence[SourceError]
    reasons: Mapping[str, int]
    files: Survey
    dry_run: bool
    seconds: float
    usage: Usage | None = None

    @property
    def is_change(self) -> bool:
        """True if files or documents were added, changed or removed."""
        return bool(self.new or self.changed or self.removed or self.documents or self.deleted)
