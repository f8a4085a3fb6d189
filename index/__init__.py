"""Durable collections on disk, and the indexes that their segments contain.

A collection stores its documents in a database and its indexes in immutable files, the segments.
"""

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
from .config import CollectionConfig, HistoryConfig, StorageConfig
from .dense.config import DenseLeg
from .field_values import FieldValues
from .history.erasing import purge
from .history.instants import AsOf
from .history.reading import history_of, set_history, version_of, view_at
from .inverted.config import LexicalLeg, SparseLeg
from .legs import LEGS, LegConfig
from .protocol import Ranking, TermStatistics, heaviest_first
from .restricted import RestrictedStore, restricted
from .store.backup.manifest import SNAPSHOT_FORMAT, SnapshotInfo
from .store.backup.restoring import (
    check_snapshot,
    list_snapshots,
    restore_snapshot,
    restored_from,
)
from .store.backup.target import Target, open_target
from .store.backup.writing import write_snapshot
from .store.bulk import Consumed, append_shard, consumed, finish, resume
from .store.database.folders import check_free, is_collection
from .store.database.history import writing_as
from .store.database.schema import COLLECTION_FORMAT
from .store.local import LocalStore, Verify
from .store.maintenance import DEFAULT_MEMORY, maintain, merge, merge_due, seal
from .store.reconfigure import check_reconfigure, reconfigure
from .store.repoint import repoint
from .store.trial import TrialSegment
from .store_protocol import (
    CAPABILITIES,
    EncodedDocument,
    OutdatedError,
    Record,
    Store,
    Transaction,
    Written,
    require,
)
from .structures import kinds as kinds
from .structures.flat.config import FlatConfig
from .structures.graph.config import HnswConfig
from .structures.ivf.config import IvfConfig
from .structures.protocol import STRUCTURES, IndexConfig, VectorStorage
from .structures.scann.config import ScannConfig
from .structures.spann.config import SpannConfig
from .structures.vector_search import DEFAULT_RECALL, VectorSearch
from .view import (
    CollectionTerms,
    ExplainingView,
    Handles,
    LegResult,
    VectorView,
    View,
    VocabularyView,
)

__all__ = [
    "CAPABILITIES",
    "CODECS",
    "COLLECTION_FORMAT",
    "DEFAULT_MEMORY",
    "DEFAULT_RECALL",
    "LEGS",
    "PROJECTIONS",
    "SNAPSHOT_FORMAT",
    "STRUCTURES",
    "AsOf",
    "CodecConfig",
    "CollectionConfig",
    "CollectionTerms",
    "Consumed",
    "DenseLeg",
    "EncodedDocument",
    "ExplainingView",
    "FieldValues",
    "FlatConfig",
    "Handles",
    "HistoryConfig",
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
    "Record",
    "RestrictedStore",
    "ScalarCodec",
    "ScannConfig",
    "SnapshotInfo",
    "SpannConfig",
    "SparseLeg",
    "StorageConfig",
    "Store",
    "Target",
    "TermStatistics",
    "Transaction",
    "TrialSegment",
    "VectorSearch",
    "VectorStorage",
    "VectorView",
    "Verify",
    "View",
    "VocabularyView",
    "Written",
    "append_shard",
    "check_free",
    "check_reconfigure",
    "check_snapshot",
    "consumed",
    "finish",
    "heaviest_first",
    "history_of",
    "is_collection",
    "list_snapshots",
    "maintain",
    "merge",
    "merge_due",
    "open_target",
    "purge",
    "reconfigure",
    "repoint",
    "require",
    "restore_snapshot",
    "restored_from",
    "restricted",
    "resume",
    "seal",
    "set_history",
    "version_of",
    "view_at",
    "write_snapshot",
    "writing_as",
]
