"""Inner products with codes, none of which is decoded anywhere but in registers; and decoding.

A code is a number of cells and, in its last 4 bytes, a float32. A cell holds the number of one
dimension or, where several fit into a byte, of dimensions that lie `cells` apart: so a run of cells
meets a run of the query, and products are made 16 at a time.

With z the numbers in the cells, a code stands for  x = scale * (low + step * z),  and so
q . x = scale * (base + weights . z)  with base = q . low and weights = q * step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .half import widened
from .kernel import summing
from .memory import float32_at, uint8_at, uint16_at
from .protocol import Codes, Vectors

FLOAT32, FLOAT16, BFLOAT16, E4M3, E5M2, BYTE, NIBBLES, BITS = range(8)
"""What a cell is. E4M3 is read as if its bits were of a float16: 2^-8 of what it stands for."""

E4M3_STEP = 256.0

_SEVEN = np.uint16(0x7F)
_EIGHTH = np.uint16(0x80)


@summing
def score_lists(
    cell: int,
    cells: int,
    stride: int,
    weights: Vectors,
    bases: Vectors,
    codes: Codes,
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    scores: Vectors,
) -> None:
    """Fill scores [q, sum of counts]: list i is counts[i] codes from byte starts[i] of `codes`.

    weights: float32 [q, whole cells], zero where there is no dimension; bases: float32 [q].
    """
    column = 0
    for piece in range(len(starts)):
        place, count = starts[piece], counts[piece]
        if place < 0 or count < 0 or place + count * stride > len(codes):
            raise IndexError("codes beyond the end of their bytes")
        for _ in range(count):
            scale = np.float32(1) if cell == FLOAT32 else float32_at(codes, place + stride - 4)
            for query in range(len(weights)):
                total = _product(cell, cells, weights[query], codes, place)
                scores[query, column] = scale * (bases[query] + total)
            place += stride
            column += 1


@summing
def decode(
    cell: int, cells: int, stride: int, low: Vectors, step: Vectors, codes: Codes, vectors: Vectors
) -> None:
    """Fill vectors [n, width] from n codes, one after another in `codes`; low, step: [width]."""
    for row in range(len(vectors)):
        place = row * stride
        vector = vectors[row]
        _numbers(cell, cells, codes, place, vector)
        scale = np.float32(1) if cell == FLOAT32 else float32_at(codes, place + stride - 4)
        for i in range(len(vector)):
            vector[i] = scale * (low[i] + step[i] * vector[i])


@summing
def _float32(codes: Codes, place: int, i: int) -> np.float32:
    return float32_at(codes, place + 4 * i)


@summing
def _float16(codes: Codes, place: int, i: int) -> np.float32:
    return widened(uint16_at(codes, place + 2 * i))


@summing
def _bfloat16(codes: Codes, place: int, i: int) -> np.float32:
    bits = np.uint32(uint16_at(codes, place + 2 * i))
    return np.uint32(bits << np.uint32(16)).view(np.float32)


@summing
def _e4m3(codes: Codes, place: int, i: int) -> np.float32:
    bits = np.uint16(uint8_at(codes, place + i))
    return widened(np.uint16(((bits & _EIGHTH) << 8) | ((bits & _SEVEN) << 7)))


@summing
def _e5m2(codes: Codes, place: int, i: int) -> np.float32:
    return widened(np.uint16(np.uint16(uint8_at(codes, place + i)) << 8))


@summing
def _byte(codes: Codes, place: int, i: int) -> np.float32:
    return np.float32(uint8_at(codes, place + i))


@summing
def _part(codes: Codes, place: int, i: int, shift: int, mask: int) -> np.float32:
    return np.float32((uint8_at(codes, place + i) >> shift) & mask)


@summing
def _product(cell: int, cells: int, weights: Vectors, codes: Codes, place: int) -> np.float32:
    total = np.float32(0)
    if cell == FLOAT32:
        for i in range(cells):
            total += weights[i] * _float32(codes, place, i)
    elif cell == FLOAT16:
        for i in range(cells):
            total += weights[i] * _float16(codes, place, i)
    elif cell == BFLOAT16:
        for i in range(cells):
            total += weights[i] * _bfloat16(codes, place, i)
    elif cell == E4M3:
        for i in range(cells):
            total += weights[i] * _e4m3(codes, place, i)
    elif cell == E5M2:
        for i in range(cells):
            total += weights[i] * _e5m2(codes, place, i)
    elif cell == BYTE:
        for i in range(cells):
            total += weights[i] * _byte(codes, place, i)
    elif cell == NIBBLES:
        upper = weights[cells:]
        for i in range(cells):
            total += weights[i] * _part(codes, place, i, 0, 15)
            total += upper[i] * _part(codes, place, i, 4, 15)
    else:
        for bit in range(8):
            plane = weights[bit * cells :]
            for i in range(cells):
                total += plane[i] * _part(codes, place, i, bit, 1)
    return total


@summing
def _numbers(cell: int, cells: int, codes: Codes, place: int, vector: Vectors) -> None:
    width = len(vector)
    if cell == FLOAT32:
        for i in range(width):
            vector[i] = _float32(codes, place, i)
    elif cell == FLOAT16:
        for i in range(width):
            vector[i] = _float16(codes, place, i)
    elif cell == BFLOAT16:
        for i in range(width):
            vector[i] = _bfloat16(codes, place, i)
    elif cell == E4M3:
        for i in range(width):
            vector[i] = _e4m3(codes, place, i)
    elif cell == E5M2:
        for i in range(width):
            vector[i] = _e5m2(codes, place, i)
    elif cell == BYTE:
        for i in range(width):
            vector[i] = _byte(codes, place, i)
    else:
        bits = 4 if cell == NIBBLES else 1
        for part in range(8 // bits):
            plane = vector[part * cells : (part + 1) * cells]
            for i in range(len(plane)):
                plane[i] = _part(codes, place, i, part * bits, (1 << bits) - 1)
