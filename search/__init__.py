"""Collections: write documents, search with several legs, fuse the results and rerank them.

A leg is one index of a collection with its own encoder: dense, learned sparse or BM25.
"""

from ..core import RerankReport, SearchResult, WriteReport
from .collection import Collection
from .export import ExportReport
from .repoint import repoint
from .request import (
    Fusion,
    LegRequest,
    ReconfigureRequest,
    RerankRequest,
    SearchRequest,
)
from .rerankers import RerankerRegistry
from .syncing.report import SyncOptions, SyncReport
from .syncing.sync import Syncer, sync
from .writing.build import BuildReport, build
from .writing.preview import CutPassage, preview_passages

__all__ = [
    "BuildReport",
    "Collection",
    "CutPassage",
    "ExportReport",
    "Fusion",
    "LegRequest",
    "ReconfigureRequest",
    "RerankReport",
    "RerankRequest",
    "RerankerRegistry",
    "SearchRequest",
    "SearchResult",
    "SyncOptions",
    "SyncReport",
    "Syncer",
    "WriteReport",
    "build",
    "preview_passages",
    "repoint",
    "sync",
]
