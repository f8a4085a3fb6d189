"""Codecs that store each value as a number of equal steps above a lower bound.

The bounds are fitted on a sample.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ..arrays.vectors import Vectors
from . import files, kernels
from .protocol import Codes
from .scalar import Scalar


class _Affine(Scalar):
    """Stores a value as an integer z from 0 to `steps`. The integer represents low + step * z.

    Each dimension has its own `low` and `step`. A value outside the range is stored as 0 or
    `steps`.
    """

    steps: ClassVar[int]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a codec that `save` wrote. See `Codec.load`."""
        found = files.read(path, cls.kind, low=1, step=1)
        if len(found["low"]) != len(found["step"]) or (found["step"] < 0).any():
            raise ValueError(
                f"{path.name} must contain one lower bound and one step >= 0 per dimension, "
                f"got {len(found['low'])} bounds and {len(found['step'])} steps; "
                f"the smallest step is {found['step'].min(initial=np.inf)}"
            )
        return cls(found["low"], found["step"])

    def save(self, path: Path) -> None:
        """Write the fitted arrays and the width to a .npz file, without pickle.

        See `Codec.save`.
        """
        files.write(path, self.kind, low=self._low, step=self._step)

    def _numbers(self, vectors: Vectors) -> Codes:
        # If all values of the sample were equal, the step is 0 and the number 0 is enough.
        inverse = np.divide(1, self._step, out=np.zeros_like(self._step), where=self._step > 0)
        numbers = np.rint((vectors - self._low) * inverse)
        clipped: Codes = np.clip(numbers, 0, self.steps, out=numbers).astype(np.uint8)
        return clipped

    def _values(self, numbers: Codes) -> Vectors:
        return numbers * self._step + self._low


class Int8(_Affine):
    """8 bits per dimension: 256 equally spaced levels from the smallest to the largest value."""

    kind = "int8"
    cell = kernels.BYTE
    steps = 255

    @classmethod
    def fit(cls, sample: Vectors, *, by_dimension: bool = True) -> Self:
        """Return a codec whose bounds are the smallest and largest values of the sample.

        sample:       float32 [n, width] with n >= 1.
        by_dimension: True: separate bounds for each dimension; False: one pair of bounds for all
                      dimensions.
        """
        axis = 0 if by_dimension else None
        low, high = sample.min(axis=axis), sample.max(axis=axis)
        everywhere = np.zeros(sample.shape[1], dtype=np.float32)
        return cls(low + everywhere, (high - low) / np.float32(cls.steps) + everywhere)

    def _cells_of(self, vectors: Vectors) -> Codes:
        return self._numbers(vectors)


class Int4(_Affine):
    """4 bits per dimension: 16 equally spaced levels. Two dimensions share a byte.

    The lowest and highest level may be inside the range of the sample. Values beyond these levels
    are clipped. With only 16 levels, clipping a few values often causes a smaller squared error
    than wider steps for all values.
    """

    kind = "int4"
    cell = kernels.NIBBLES
    planes = 2
    steps = 15

    TRIED: ClassVar[tuple[float, ...]] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
    """Bounds to try, as shares of the range of the sample."""
    ROWS: ClassVar[int] = 8192
    """Maximum number of sample rows on which bounds are tried."""

    @classmethod
    def fit(cls, sample: Vectors) -> Self:
        """Return a codec whose bounds have the smallest squared error on the sample.

        The bounds of a dimension cover a share of the range of the sample. `TRIED` lists the shares
        that are compared.

        sample: float32 [n, width] with n >= 1.
        """
        low, high = sample.min(axis=0), sample.max(axis=0)
        middle, reach = (low + high) / 2, (high - low) / 2
        rows = sample[:: -(-len(sample) // cls.ROWS)]
        tried = [
            cls(middle - reach * part, reach * np.float32(part * 2 / cls.steps))
            for part in cls.TRIED
        ]
        errors = [
            np.square(rows - codec._values(codec._numbers(rows))).sum(axis=0) for codec in tried
        ]
        best = (np.argmin(errors, axis=0), np.arange(sample.shape[1]))
        return cls(
            np.stack([codec._low for codec in tried])[best],
            np.stack([codec._step for codec in tried])[best],
        )

    def _cells_of(self, vectors: Vectors) -> Codes:
        numbers = self._padded(self._numbers(vectors))
        packed: Codes = numbers[:, : self._cells] | numbers[:, self._cells :] << np.uint8(4)
        return packed
