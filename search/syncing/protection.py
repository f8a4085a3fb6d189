"""Refuses a sync that would delete too large a share of the documents of a source.

The share is relative to the number of documents after the last complete sync. A refused or
interrupted sync may have written new documents. These do not count, so the next sync is not more
permissive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ...core import ConflictError
from ...index.store.manifest import Synced
from ...sources.listing import Listing

NOTHING = "nothing was changed"
NOT_DELETED = "no document was deleted"
WRITTEN = "new and changed documents were written, and no document was deleted"


def check_share(
    lost: Mapping[int, int],
    synced: Synced,
    listings: Sequence[Listing],
    max_removed: float,
    *,
    outcome: str,
) -> None:
    """Raise ConflictError if a sync would delete too large a share of the documents of a source.

    lost:        number of a file -> count of its documents that would be deleted.
    synced:      the record of synced files at the start of the sync.
    listings:    the files of each source that is synced now.
    max_removed: largest allowed share, from 0 to 1. 1 allows every deletion.
    outcome:     what this sync has done so far, for the error text.
    """
    if max_removed >= 1:
        return
    before, after = documents_by_source(synced), _by_source(lost, synced)
    for listing in listings:
        now, some = before[listing.source], after[listing.source]
        base = min(now, synced.complete.get(listing.source, now))
        if some <= max_removed * base:
            continue
        missing = "" if listing.found else " (does not exist)"
        earlier = f" (after the last complete sync, there were {base:,})" if base < now else ""
        raise ConflictError(
            f"{listing.path}{missing}: {some:,} of {now:,} documents{earlier} would be deleted, "
            f"and the largest allowed share is {max_removed:g}; {outcome}. Check that the "
            "source is mounted and complete, or allow the deletion with --max-removed 1 (in "
            "Python: max_removed=1)"
        )


def documents_by_source(synced: Synced) -> Counter[str]:
    """Return source -> number of its documents at the start of the sync."""
    return _by_source(synced.documents, synced)


def _by_source(counts: Mapping[int, int], synced: Synced) -> Counter[str]:
    found: Counter[str] = Counter()
    for number, count in counts.items():
        if number in synced.by_number:
            found[synced.by_number[number].source] += count
    return found
