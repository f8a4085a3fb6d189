"""Representations on disk and back: durable collections and the indexes inside their segments."""

from .legs import warm
from .protocol import Ranking, TermStatistics, heaviest_first
from .store.bulk import Consumed, append_shard, consumed, finish, resume
from .store.collection import Collection, EncodedDocument, OutdatedError, Record, Verify, Written
from .store.filters.filters import check as check_filter
from .store.maintenance import maintain, merge, merge_due, seal
from .store.reader import Reader
from .store.reconfigure import Reconfigured, reconfigure, reconfigured
from .store.repoint import repoint
from .store.snapshot import LegResult, Snapshot

__all__ = [
    "Collection",
    "Consumed",
    "EncodedDocument",
    "LegResult",
    "OutdatedError",
    "Ranking",
    "Reader",
    "Reconfigured",
    "Record",
    "Snapshot",
    "TermStatistics",
    "Verify",
    "Written",
    "append_shard",
    "check_filter",
    "consumed",
    "finish",
    "heaviest_first",
    "maintain",
    "merge",
    "merge_due",
    "reconfigure",
    "reconfigured",
    "repoint",
    "resume",
    "seal",
    "warm",
]
