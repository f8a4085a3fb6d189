"""Representations on disk and back: durable collections and the indexes inside their segments."""

from .bulk import append_shard, consumed, finish, resume
from .collection import Collection, EncodedDocument, Verify, Written
from .filters import check as check_filter
from .legs import warm
from .maintenance import merge, merge_due, seal
from .protocol import Ranking, TermStatistics
from .reader import Reader
from .snapshot import LegResult

__all__ = [
    "Collection",
    "EncodedDocument",
    "LegResult",
    "Ranking",
    "Reader",
    "TermStatistics",
    "Verify",
    "Written",
    "append_shard",
    "check_filter",
    "consumed",
    "finish",
    "merge",
    "merge_due",
    "resume",
    "seal",
    "warm",
]
