"""Representations on disk and back: durable collections and the indexes inside their segments."""

from .legs import warm
from .protocol import Ranking, TermStatistics, heaviest_first
from .store.bulk import Consumed, append_shard, consumed, finish, resume
from .store.filters.filters import check as check_filter
from .store.local import EncodedDocument, LocalStore, OutdatedError, Record, Verify, Written
from .store.maintenance import maintain, merge, merge_due, seal
from .store.reader import Reader
from .store.reconfigure import Reconfigured, reconfigure, reconfigured
from .store.repoint import repoint
from .store.snapshot import LegResult, Snapshot

__all__ = [
    "Consumed",
    "EncodedDocument",
    "LegResult",
    "LocalStore",
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
