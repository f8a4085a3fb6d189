"""The pipeline that is served and evaluated: a collection, its encoders, legs and their fusion."""

from .build import BuildReport, build
from .engine import Engine, WriteReport
from .request import (
    Fusion,
    LegRequest,
    ReconfigureRequest,
    RerankReport,
    RerankRequest,
    SearchRequest,
    SearchResult,
)
from .rerankers import RerankerRegistry

__all__ = [
    "BuildReport",
    "Engine",
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
]
