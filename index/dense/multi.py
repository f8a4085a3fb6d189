"""A dense leg with several vectors per passage: its part in a segment and its part in the delta."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ...core import Representation
from ..arrays.offsets import of_lengths
from ..arrays.vectors import Vectors
from ..multi import MultiDelta, MultiSegment, ungrouped
from ..structures.exact import storable
from ..structures.vector_search import VectorSearch
from .delta import DenseDelta
from .tokens import TokenSegment

_HEADER = struct.Struct("<IBI")
"""Header of a packed passage: number of vectors plus `_MARK`, bytes per number, dimensions."""
_MARK = 1 << 31
"""Flag in the number of vectors. Without it, an older release packed the vectors one by one."""
_TYPES: dict[int, np.dtype[Any]] = {2: np.dtype("<f2"), 4: np.dtype("<f4")}


class MultiDenseSegment(MultiSegment):
    """A dense leg with several vectors per passage, in one segment. Searches by exact MaxSim."""

    single = TokenSegment
    _vectors: TokenSegment

    @property
    def width(self) -> int:
        """Number of dimensions of a vector."""
        return self._vectors.width

    def tuned(self, search: VectorSearch) -> Self:
        """See Approximate. Returns self: every search compares all vectors."""
        return self

    def description(self) -> dict[str, Any]:
        """See Approximate. `rows` counts vectors, not passages."""
        return self._vectors.description()


class MultiDenseDelta(MultiDelta):
    """The in-memory part of a dense leg with several vectors per passage.

    It contains the passages that are not in a segment yet.
    """

    single = DenseDelta

    @classmethod
    def pack(cls, rows: Representation) -> list[bytes]:
        """See DeltaPart. Packs float16 if all numbers are exact in float16, else float32."""
        vectors, offsets = ungrouped(rows)
        dense = storable(vectors)
        with np.errstate(over="ignore"):
            half = dense.astype(np.float16)
        size = 2 if np.array_equal(half, dense) else 4
        stored = (half if size == 2 else dense).astype(_TYPES[size], copy=False)
        return [
            _HEADER.pack((last - first) | _MARK, size, dense.shape[1])
            + stored[first:last].tobytes()
            for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        ]

    @classmethod
    def unpack(cls, packed: Sequence[bytes]) -> Representation:
        """See DeltaPart. Raises ValueError if a passage is damaged."""
        passages = [_numbers(data) if _is_marked(data) else cls._earlier(data) for data in packed]
        if len({dense.shape[1] for dense in passages}) > 1:
            raise ValueError(
                f"expected packed vectors of {passages[0].shape[1]} dimensions like the first, "
                "found another length"
            )
        width = passages[0].shape[1] if passages else 0
        dense = np.concatenate([np.empty((0, width), np.float32), *passages])
        return Representation(dense=dense, offsets=of_lengths([len(own) for own in passages]))

    @classmethod
    def _earlier(cls, data: bytes) -> Vectors:
        """Return the vectors of a passage that an older release packed in `MultiDelta`'s format."""
        dense = super().unpack([data]).dense
        assert dense is not None, "a delta of dense vectors"
        return dense


def _is_marked(data: bytes) -> bool:
    return len(data) >= _HEADER.size and bool(_HEADER.unpack_from(data)[0] & _MARK)


def _numbers(data: bytes) -> Vectors:
    """Return the vectors of a packed passage, float32 [n, d]. Raises ValueError if damaged."""
    marked, size, width = _HEADER.unpack_from(data)
    count = marked & ~_MARK
    if count == 0 or size not in _TYPES or len(data) != _HEADER.size + count * width * size:
        raise ValueError(
            f"a packed passage of {len(data)} bytes cannot contain {count} vectors of {width} "
            f"dimensions ({size} bytes a dimension)"
        )
    numbers = np.frombuffer(data, dtype=_TYPES[size], offset=_HEADER.size)
    vectors: Vectors = numbers.reshape(count, width).astype(np.float32)
    return vectors
