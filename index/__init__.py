"""Representations on disk and back: durable collections and the indexes inside their segments."""

from .codecs.config import (
    CODECS,
    PROJECTIONS,
    CodecConfig,
    Int8Codec,
    PqCodec,
    ProjectionConfig,
    RabitqCodec,
    ScalarCodec,
)
from .config import CollectionConfig, StorageConfig
from .dense.config import DenseLeg
from .inverted.config import LexicalLeg, SparseLeg
from .legs import LEGS, LegConfig
from .protocol import Ranking, TermStatistics, heaviest_first
from .store.bulk import Consumed, append_shard, consumed, finish, resume
from .store.local import EncodedDocument, LocalStore, OutdatedError, Record, Verify, Written
from .store.maintenance import maintain, merge, merge_due, seal
from .store.reader import Reader
from .store.reconfigure import Reconfigured, reconfigure, reconfigured
from .store.repoint import repoint
from .store.snapshot import LegResult, Snapshot
from .structures import kinds as kinds
from .structures.flat.config import FlatConfig
from .structures.graph.config import HnswConfig
from .structures.ivf.config import IvfConfig
from .structures.looking import DEFAULT_RECALL, VectorSearch
from .structures.protocol import STRUCTURES, IndexConfig, VectorStorage
from .structures.scann.config import ScannConfig
from .structures.spann.config import SpannConfig

__all__ = [
    "CODECS",
    "DEFAULT_RECALL",
    "LEGS",
    "PROJECTIONS",
    "STRUCTURES",
    "CodecConfig",
    "CollectionConfig",
    "Consumed",
    "DenseLeg",
    "EncodedDocument",
    "FlatConfig",
    "HnswConfig",
    "IndexConfig",
    "Int8Codec",
    "IvfConfig",
    "LegConfig",
    "LegResult",
    "LexicalLeg",
    "LocalStore",
    "OutdatedError",
    "PqCodec",
    "ProjectionConfig",
    "RabitqCodec",
    "Ranking",
    "Reader",
    "Reconfigured",
    "Record",
    "ScalarCodec",
    "ScannConfig",
    "Snapshot",
    "SpannConfig",
    "SparseLeg",
    "StorageConfig",
    "TermStatistics",
    "VectorSearch",
    "VectorStorage",
    "Verify",
    "Written",
    "append_shard",
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
]
