"""Collections: write documents, search with several legs, fuse the results and rerank them."""

from ..core import RerankReport, SearchResult, WriteReport
from .collection import Collection
from .repoint import repoint
from .request import (
    Fusion,
    LegRequest,
    ReconfigureRequest,
    RerankRequest,
    SearchRequest,
)
from .rerankers import RerankerRegistry
from .writing.build import BuildReport, build

__all__ = [
    "BuildReport",
    "Collection",
    "Fusion",
    "LegRequest",
    "ReconfigureRequest",
    "RerankReport",
    "RerankRequest",
    "RerankerRegistry",
    "SearchRequest",
    "SearchResult",
    "WriteReport",
    "build",
    "repoint",
]
