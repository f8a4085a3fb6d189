"""Representations on disk and back: durable collections and the indexes inside their segments."""

from .bulk import Consumed, append_shard, consumed, finish, resume
from .collection import Collection, EncodedDocument, OutdatedError, Record, Verify, Written
from .filters import check as check_filter
from .legs import warm
from .maintenance import maintain, merge, merge_due, seal
from .protocol import Ranking, TermStatistics, heaviest_first
from .reader import Reader
from .reconfigure import Reconfigured, reconfigure, reconfigured
from .repoint import repoint
from .snapshot import LegResult, Snapshot

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
