"""The pipeline that is served and evaluated: a collection, its encoders, legs and their fusion."""

from .build import BuildReport, build
from .engine import Engine, WriteReport
from .request import Fusion, LegRequest, ReconfigureRequest, SearchRequest, SearchResult

__all__ = [
    "BuildReport",
    "Engine",
    "Fusion",
    "LegRequest",
    "ReconfigureRequest",
    "SearchRequest",
    "SearchResult",
    "WriteReport",
    "build",
]
