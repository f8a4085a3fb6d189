"""Graph search, configured."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from ....core.bounds import Bounds, Effort, Rows
from ...codecs.config import CodecConfig
from ..looking import Recall, VectorSearch
from ..protocol import STRUCTURES, IndexConfig
from ..recall import recall_or


@STRUCTURES.register
class HnswConfig(IndexConfig):
    """Graph search (Malkov and Yashunin 2018) through FAISS."""

    made_by = ".graph:HnswGraph"
    parameters = ("ef",)
    looking = ("recall", "ef_search")

    kind: Literal["hnsw"] = "hnsw"
    neighbors: Annotated[int, Bounds(2, 256)] = 32
    """Links of a vector."""
    ef_construction: Annotated[int, Bounds(8, 10_000)] = 200
    """Length of the list of candidates while the graph is built."""
    recall: Recall | None = None
    """Of the 10 nearest, calibrated when a segment is built; None = 0.98."""
    ef_search: Effort | None = None
    """Length of the list of candidates, instead of a recall; None = as calibrated."""
    flat_below: Rows = 2_000
    """Segments with fewer passages are searched exactly; a graph gains nothing there."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        return recall_or(self, "ef_search")

    @classmethod
    def holds(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig: what FAISS has."""
        return kind in ("float32", "float16", "bfloat16", "int8", "int4")

    @property
    def search(self) -> VectorSearch:
        """See IndexConfig."""
        return VectorSearch.stored({"recall": self.recall, "ef": self.ef_search})
