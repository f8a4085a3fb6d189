"""Codecs that store floating-point numbers with fewer bits. They need no fitting.

Before rounding, a vector is multiplied by a power of two, so that its largest value is near the
largest number of the format. No value overflows, fewer values underflow, and all other values round
as they would without the factor.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors
from . import kernels
from .protocol import Codes
from .scalar import Unfitted

SIGN = 0x80


class _Float(Unfitted):
    top: ClassVar[int]
    """The format can store numbers below 2^top."""

    def _scaled(self, vectors: Vectors) -> Vectors:
        largest = np.abs(vectors).max(axis=1, initial=0, keepdims=True)
        scaled: Vectors = np.ldexp(vectors, self.top - np.frexp(largest)[1])
        return scaled


class Float32(_Float):
    """float32, uncompressed. The only codec whose codes do not end with a scale."""

    kind = "float32"
    cell = kernels.FLOAT32
    cell_bytes = 4
    tail = 0

    def _cells_of(self, vectors: Vectors) -> Codes:
        return np.ascontiguousarray(vectors).view(np.uint8)


class Float16(_Float):
    """16 bits per dimension, IEEE 754 binary16: 5 exponent bits, 10 mantissa bits."""

    kind = "float16"
    cell = kernels.FLOAT16
    cell_bytes = 2
    top = 15

    def _cells_of(self, vectors: Vectors) -> Codes:
        return self._scaled(vectors).astype(np.float16).view(np.uint8)


class BFloat16(_Float):
    """16 bits per dimension, the upper half of a float32: 8 exponent bits, 7 mantissa bits."""

    kind = "bfloat16"
    cell = kernels.BFLOAT16
    cell_bytes = 2
    top = 0

    def _cells_of(self, vectors: Vectors) -> Codes:
        return _upper(self._scaled(vectors), 16).astype(np.uint16).view(np.uint8)


class _Float8(_Float):
    mantissa: ClassVar[int]
    bias: ClassVar[int]
    largest: ClassVar[float]

    @classmethod
    def rounded(cls, values: Vectors) -> Codes:
        """Round values to the nearest numbers of the 8-bit format. Return these numbers as uint8.

        Ties round to even. A value outside the range of the format becomes the largest number of
        the format with the sign of the value.
        """
        size = np.minimum(np.abs(values), np.float32(cls.largest))
        normal = _upper(size, 23 - cls.mantissa) - np.uint32((127 - cls.bias) << cls.mantissa)
        # Below the smallest normal number, steps are equal. The codes above continue from there.
        least = np.float32(2.0 ** (1 - cls.bias))
        steps = np.rint(size * np.float32(2 ** (cls.mantissa + cls.bias - 1)))
        code = np.where(size < least, steps.astype(np.uint32), normal).astype(np.uint8)
        signed: Codes = code | (np.signbit(values) * np.uint8(SIGN))
        return signed

    def _cells_of(self, vectors: Vectors) -> Codes:
        return self.rounded(self._scaled(vectors))


class Float8E4M3(_Float8):
    """8 bits per dimension: 4 for the exponent, 3 for the mantissa, no infinity.

    The format E4M3FN of Micikevicius et al. 2022.
    """

    kind = "float8_e4m3"
    cell = kernels.E4M3
    mantissa, bias, largest, top = 3, 7, 448.0, 8
    factor = kernels.E4M3_STEP


class Float8E5M2(_Float8):
    """8 bits per dimension, the upper half of a float16: 5 exponent bits, 2 mantissa bits."""

    kind = "float8_e5m2"
    cell = kernels.E5M2
    mantissa, bias, largest, top = 2, 15, 57344.0, 15


def _upper(values: Vectors, dropped: int) -> NDArray[np.uint32]:
    """Return the bits of `values` without the lowest `dropped` bits, rounded; ties to even."""
    bits = values.view(np.uint32)
    even = (bits >> np.uint32(dropped)) & np.uint32(1)
    half = np.uint32((1 << (dropped - 1)) - 1)
    return (bits + half + even) >> np.uint32(dropped)
