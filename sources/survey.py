"""Counts the files in folders that are read, and those that are skipped, by kind and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from pathlib import Path

from .folder import EXCLUDED, HIDDEN
from .formats.kinds import kind_of
from .lines import STDIN
from .listing import Listing, list_source
from .named_datasets import is_named

_MEANT = (HIDDEN, EXCLUDED)
"""Reasons of paths that are skipped on purpose."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The numbers of files that are read and that are skipped, by kind.

    The kind of a file is its suffix in lower case, or "none".

    read:     kind -> number of files that are read.
    left_out: reason for skipping -> kind -> number of skipped files and folders.
    examples: the first skipped paths that are neither hidden nor excluded, sorted.
    """

    read: Mapping[str, int]
    left_out: Mapping[str, Mapping[str, int]]
    examples: tuple[Path, ...]

    @property
    def lost(self) -> int:
        """Number of skipped files and folders that are neither hidden nor excluded."""
        return sum(sum(kinds.values()) for why, kinds in self.left_out.items() if why not in _MEANT)


def survey(paths: Iterable[Path], *, examples: int = 3, exclude: Sequence[str] = ()) -> Survey:
    """Count the files that are read and skipped in `paths`, without opening them.

    paths:    files and folders. Folders are searched. Standard input and data sets count as one
              file each.
    examples: maximum number of skipped paths to return as examples.
    exclude:  patterns of files and folders to skip; see `walk`.

    Raises SourceError for a file of an unsupported type.
    """
    read: Counter[str] = Counter()
    listings = []
    for path in paths:
        if path == STDIN or is_named(path):
            read[kind_of(path)] += 1
        else:
            listings.append(list_source(path, exclude))
    found = survey_listings(listings, examples=examples)
    return replace(found, read=dict((read + Counter(found.read)).most_common()))


def survey_listings(listings: Iterable[Listing], *, examples: int = 3) -> Survey:
    """Count the files of listings from `list_source`, as `survey` does."""
    read: Counter[str] = Counter()
    left_out: dict[str, Counter[str]] = {}
    shown: list[Path] = []
    for listing in listings:
        read.update(kind_of(file.path) for file in listing.files)
        for found, reason in listing.skipped:
            left_out.setdefault(reason, Counter())[_kind_skipped(found)] += 1
        lost = (found for found, reason in listing.skipped if reason not in _MEANT)
        shown = nsmallest(examples, [*shown, *lost])
    return Survey(
        dict(read.most_common()),
        {reason: dict(kinds.most_common()) for reason, kinds in sorted(left_out.items())},
        tuple(shown),
    )


def _kind_skipped(path: Path) -> str:
    try:
        return "folder" if path.is_dir() else kind_of(path)
    except OSError:  # Its folder cannot be read.
        return kind_of(path)
