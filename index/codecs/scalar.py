"""Base classes of codecs that store each dimension separately."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors
from . import files, kernels
from .lengths import length_ratio
from .protocol import Codes

T = TypeVar("T", bound=np.generic)

FEW = 4
"""Maximum number of queries scored without decoding. For more, a matrix product is faster."""
BLOCK = 1024
"""Number of codes decoded at a time."""
_START = np.zeros(1, dtype=np.int64)


class Scalar(ABC):
    """A Codec whose codes consist of cells, each for one or more dimensions, and a float32 scale.

    See `kernels` for the layout.

    cell:       type of cell, a constant of `kernels`.
    cell_bytes: bytes per cell.
    planes:     dimensions per cell.
    tail:       bytes of the scale; 0 without a scale.
    """

    kind: ClassVar[str]
    cell: ClassVar[int]
    cell_bytes: ClassVar[int] = 1
    planes: ClassVar[int] = 1
    tail: ClassVar[int] = 4

    def __init__(self, low: Vectors, step: Vectors) -> None:
        """low, step: float32 [width]. A number z in a cell represents low + step * z."""
        self._low = low
        self._step = step
        self._cells = -(-len(low) // self.planes)
        self.width = len(low)
        """Number of dimensions of a vector."""
        self.stride = self._cells * self.cell_bytes + self.tail
        """Bytes per code."""
        self.fitted = {"low": low, "step": step}
        """See Codec."""

    def encode(self, vectors: Vectors) -> Codes:
        """Encode vectors: float32 [n, width] -> uint8 [n, stride]. See `Codec.encode`."""
        cells = self._cells_of(vectors)
        if not self.tail:
            return cells
        ones = np.ones((len(vectors), 1), dtype=np.float32)
        codes = np.hstack([cells, ones.view(np.uint8)])
        scales = length_ratio(vectors, self.decode(codes))
        codes[:, -self.tail :] = scales.view(np.uint8)
        return codes

    def decode(self, codes: Codes) -> Vectors:
        """Decode codes: uint8 [n, stride] -> float32 [n, width], with the original lengths.

        See `Codec.decode`.
        """
        self._check(codes)
        vectors = np.empty((len(codes), self.width), dtype=np.float32)
        kernels.decode(
            self.cell,
            self._cells,
            self.stride,
            self._low,
            self._step,
            _flat(codes),
            vectors,
        )
        return vectors

    def score(self, queries: Vectors, codes: Codes) -> Vectors:
        """Return the inner products of queries and encoded vectors, float32 [q, n].

        See `Codec.score`.
        """
        self._check(codes)
        if len(queries) <= FEW:
            return self.score_lists(queries, codes.reshape(-1), _START, np.array([len(codes)]))
        scores = np.empty((len(queries), len(codes)), dtype=np.float32)
        for first in range(0, len(codes), BLOCK):
            block = slice(first, first + BLOCK)
            np.matmul(queries, self.decode(codes[block]).T, out=scores[:, block])
        return scores

    def score_lists(
        self,
        queries: Vectors,
        codes: Codes,
        starts: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> Vectors:
        """Return the inner products of a few queries with lists of codes, float32 [q, sum(counts)].

        See `Codec.score_lists`.
        """
        weights = np.ascontiguousarray(self._padded(queries * self._step))
        scores = np.empty((len(queries), int(counts.sum())), dtype=np.float32)
        kernels.score_lists(
            self.cell,
            self._cells,
            self.stride,
            weights.reshape(-1).view(np.uint8),
            queries @ self._low,
            _flat(codes),
            starts,
            counts,
            scores,
        )
        return scores

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the fitted arrays and the width to a .npz file, without pickle.

        See `Codec.save`.
        """

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """Load a codec that `save` wrote. See `Codec.load`."""

    @abstractmethod
    def _cells_of(self, vectors: Vectors) -> Codes:
        """Encode vectors without the scale, uint8 [n, cells * cell_bytes]."""

    def _padded(self, values: NDArray[T]) -> NDArray[T]:
        """Pad the columns with zeros up to a whole number of cells."""
        room = self._cells * self.planes
        if values.shape[1] == room:
            return values
        padded = np.zeros((len(values), room), dtype=values.dtype)
        padded[:, : values.shape[1]] = values
        return padded

    def _check(self, codes: Codes) -> None:
        if codes.ndim != 2 or codes.shape[1] != self.stride:
            raise ValueError(f"codes must be bytes of shape (n, {self.stride}), got {codes.shape}")


def _flat(codes: Codes) -> Codes:
    """Return codes as a read-only 1-D array of bytes.

    Numba compiles a function again for each type of array, so the type must always be the same.
    """
    flat = codes.reshape(-1).view(np.ndarray)
    flat.flags.writeable = False
    return flat


class Unfitted(Scalar):
    """A codec that takes only the number of dimensions from the sample.

    lowest, factor: a number z in a cell represents lowest + factor * z.
    """

    lowest: ClassVar[float] = 0.0
    factor: ClassVar[float] = 1.0

    def __init__(self, width: int) -> None:
        super().__init__(
            np.full(width, self.lowest, dtype=np.float32),
            np.full(width, self.factor, dtype=np.float32),
        )

    @classmethod
    def fit(cls, sample: Vectors) -> Self:
        """Return a codec for the number of dimensions of the sample, float32 [n, width]."""
        return cls(sample.shape[1])

    def save(self, path: Path) -> None:
        """Write the fitted arrays and the width to a .npz file, without pickle.

        See `Codec.save`.
        """
        files.write(path, self.kind, width=np.array(self.width, dtype=np.float32))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a codec that `save` wrote. See `Codec.load`."""
        return cls(int(files.read(path, cls.kind, width=0)["width"]))
