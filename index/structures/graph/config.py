"""Configuration of the hnsw index."""

from __future__ import annotations

from typing import Annotated, Literal

from ....core.bounds import Bounds, Effort, Rows
from ...codecs.config import FAISS_BITS, CodecConfig
from ..protocol import STRUCTURES
from ..recall import ApproximateConfig
from ..vector_search import VectorSearch


@STRUCTURES.register
class HnswConfig(ApproximateConfig):
    """HNSW (Malkov and Yashunin 2018): a graph that links near vectors, with FAISS."""

    made_by = ".graph:HnswGraph"
    effort = "ef_search"
    parameters = ("ef",)
    search_fields = ("recall", "ef_search")

    kind: Literal["hnsw"] = "hnsw"
    neighbors: Annotated[int, Bounds(2, 256)] = 32
    """Number of links per vector."""
    ef_construction: Annotated[int, Bounds(8, 10_000)] = 200
    """Length of the candidate list while the graph is built."""
    ef_search: Effort | None = None
    """Length of the candidate list in searches, instead of `recall`; None: calibrated."""
    flat_below: Rows = 2_000
    """Segments with fewer passages than this number are searched exactly, because a graph is not
    faster there."""

    @classmethod
    def supports_codec(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig. Supports the scalar codecs that FAISS implements."""
        return kind in FAISS_BITS

    @property
    def search(self) -> VectorSearch:
        """Default parameters of searches, from this configuration. See `IndexConfig.search`."""
        return VectorSearch.stored({"recall": self.recall, "ef": self.ef_search})
