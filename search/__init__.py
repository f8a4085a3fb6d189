"""Collections: write documents, search with several legs, fuse the results and rerank them.

A leg is an index of a collection, with an encoder: dense, learned sparse or BM25.
"""

from ..core import QueryStage, RerankReport, SearchResult, WriteReport
from ..index import SnapshotInfo
from .answering.evidence import Evidence
from .answering.generators import GeneratorRegistry
from .answering.request import AnswerRequest
from .arranging.completing import CompleteRequest
from .collection import Collection
from .export import ExportReport
from .federation.request import CollectionRequest, FederatedRequest
from .federation.searching import federated_search
from .finding.rerankers import RerankerRegistry
from .finding.rewriters import RewriterRegistry
from .request import (
    Fusion,
    LegRequest,
    ReconfigureRequest,
    SearchRequest,
)
from .stages import FeedbackRequest, Gate, RerankRequest, RewriteRequest, Turn
from .syncing.report import SyncOptions, SyncReport
from .syncing.sync import Syncer, sync
from .writing.build import BuildReport, build
from .writing.preview import CutPassage, preview_passages
from .writing.reembed import Reembedded, reembed
from .writing.reembed import confirm as confirm_reembedding
from .writing.reembed import hidden as replaced_folder
from .writing.reembed import roll_back as roll_back_reembedding
from .writing.repoint import repoint

__all__ = [
    "AnswerRequest",
    "BuildReport",
    "Collection",
    "CollectionRequest",
    "CompleteRequest",
    "CutPassage",
    "Evidence",
    "ExportReport",
    "FederatedRequest",
    "FeedbackRequest",
    "Fusion",
    "Gate",
    "GeneratorRegistry",
    "LegRequest",
    "QueryStage",
    "ReconfigureRequest",
    "Reembedded",
    "RerankReport",
    "RerankRequest",
    "RerankerRegistry",
    "RewriteRequest",
    "RewriterRegistry",
    "SearchRequest",
    "SearchResult",
    "SnapshotInfo",
    "SyncOptions",
    "SyncReport",
    "Syncer",
    "Turn",
    "WriteReport",
    "build",
    "confirm_reembedding",
    "federated_search",
    "preview_passages",
    "reembed",
    "replaced_folder",
    "repoint",
    "roll_back_reembedding",
    "sync",
]
