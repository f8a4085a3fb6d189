"""Compiled functions that decode encoded vectors and compute their inner products with queries.

A code (one encoded vector) is a sequence of cells, then a float32 scale in the last 4 bytes
(float32 codes have none). A cell holds the number of one dimension, or is a byte with the numbers
of 2 or 8 dimensions. In a code with c cells, byte i holds dimensions i, i + c, i + 2c, ...
Consecutive bytes then match consecutive dimensions of the query, so that the processor computes 16
products at a time.

low and step are the fitted arrays of the codec. If the cells hold the numbers z, the decoded vector
is  x = scale * (low + step * z).  The score of a query q is therefore
q . x = scale * (base + weights . z)  with base = q . low and weights = q * step.
Scoring never writes a decoded vector to memory.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..arrays.vectors import Vectors
from ..compiling import summing
from .half import widened
from .memory import float32_at, uint8_at, uint16_at
from .protocol import Codes

FLOAT32, FLOAT16, BFLOAT16, E4M3, E5M2, BYTE, NIBBLES, BITS = range(8)
"""Types of cell. The bits of E4M3 are read as a float16, which gives 2^-8 of the value."""

E4M3_STEP = 256.0
"""Factor that corrects the value of an E4M3 number read as a float16."""

_NO_SECOND = 0xBFFF
"""Mask of all bits except the second, which holds a copy of the sign after widening to 16 bits."""

Number = Callable[[Codes, int, int, int], np.float32]
"""(codes, byte offset of a code, cell, part of the cell) -> the number in that part."""


@summing
def _float32(codes: Codes, offset: int, i: int, part: int) -> np.float32:
    return float32_at(codes, offset + 4 * i)


@summing
def _float16(codes: Codes, offset: int, i: int, part: int) -> np.float32:
    return widened(uint16_at(codes, offset + 2 * i))


@summing
def _bfloat16(codes: Codes, offset: int, i: int, part: int) -> np.float32:
    bits = np.uint32(uint16_at(codes, offset + 2 * i))
    return np.uint32(bits << np.uint32(16)).view(np.float32)


@summing
def _e4m3(codes: Codes, offset: int, i: int, part: int) -> np.float32:
    bits = np.int16(np.int8(uint8_at(codes, offset + i)))
    return widened(np.uint16((bits << 7) & _NO_SECOND))


@summing
def _e5m2(codes: Codes, offset: int, i: int, part: int) -> np.float32:
    return widened(np.uint16(np.uint16(uint8_at(codes, offset + i)) << 8))


@summing
def _byte(codes: Codes, offset: int, i: int, part: int) -> np.float32:
    return np.float32(uint8_at(codes, offset + i))


@summing
def _nibble(codes: Codes, offset: int, i: int, part: int) -> np.float32:
    return np.float32((uint8_at(codes, offset + i) >> (4 * part)) & 15)


@summing
def _bit(codes: Codes, offset: int, i: int, part: int) -> np.float32:
    return np.float32((uint8_at(codes, offset + i) >> part) & 1)


@njit(inline="always")  # Numba would not cache a separate function on disk.
def _scan(
    number_at: Number,
    planes: int,
    cells: int,
    stride: int,
    weights: Codes,
    bases: Vectors,
    codes: Codes,
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    scores: Vectors,
) -> None:
    query_bytes = 4 * planes * cells
    column = 0
    for piece in range(len(starts)):
        offset, count = starts[piece], counts[piece]
        if offset < 0 or count < 0 or offset + count * stride > len(codes):
            raise IndexError(
                "a list of codes must begin and end inside the buffer: check starts and counts"
            )
        for _ in range(count):
            for query in range(len(bases)):
                total = bases[query]
                first = query * query_bytes
                for i in range(cells):
                    for part in range(planes):
                        weight = float32_at(weights, first + 4 * (part * cells + i))
                        total += weight * number_at(codes, offset, i, part)
                scores[query, column] = total
            column += 1
            offset += stride


@njit(inline="always")
def _fill(
    number_at: Number, planes: int, cells: int, stride: int, codes: Codes, vectors: Vectors
) -> None:
    for row in range(len(vectors)):
        for part in range(planes):
            plane = vectors[row, part * cells : (part + 1) * cells]
            for i in range(len(plane)):
                plane[i] = number_at(codes, row * stride, i, part)


@summing
def score_lists(
    cell: int,
    cells: int,
    stride: int,
    weights: Codes,
    bases: Vectors,
    codes: Codes,
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    scores: Vectors,
) -> None:
    """Write the inner products of n queries and lists of codes into `scores`.

    The module's docstring explains codes, cells, and the symbols `low`, `step` and z.

    cell:    type of cell, such as BYTE.
    cells:   cells per code.
    stride:  bytes per code.
    weights: query * step for each query, as the bytes of float32 [n, dimensions], padded with zeros
             to whole cells.
    bases:   query . low for each query, float32 [n].
    codes:   a buffer. List i has counts[i] consecutive codes, the first one at byte starts[i].
    scores:  output, float32 [n, sum of counts].
    """
    if cell == FLOAT32:
        _scan(_float32, 1, cells, stride, weights, bases, codes, starts, counts, scores)
    elif cell == FLOAT16:
        _scan(_float16, 1, cells, stride, weights, bases, codes, starts, counts, scores)
    elif cell == BFLOAT16:
        _scan(_bfloat16, 1, cells, stride, weights, bases, codes, starts, counts, scores)
    elif cell == E4M3:
        _scan(_e4m3, 1, cells, stride, weights, bases, codes, starts, counts, scores)
    elif cell == E5M2:
        _scan(_e5m2, 1, cells, stride, weights, bases, codes, starts, counts, scores)
    elif cell == BYTE:
        _scan(_byte, 1, cells, stride, weights, bases, codes, starts, counts, scores)
    elif cell == NIBBLES:
        _scan(_nibble, 2, cells, stride, weights, bases, codes, starts, counts, scores)
    else:
        _scan(_bit, 8, cells, stride, weights, bases, codes, starts, counts, scores)
    if cell != FLOAT32:
        _scale(stride, codes, starts, counts, scores)


@summing
def _scale(
    stride: int,
    codes: Codes,
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    scores: Vectors,
) -> None:
    column = 0
    for piece in range(len(starts)):
        for number in range(counts[piece]):
            scale = float32_at(codes, starts[piece] + (number + 1) * stride - 4)
            for query in range(len(scores)):
                scores[query, column] *= scale
            column += 1


@summing
def decode(
    cell: int, cells: int, stride: int, low: Vectors, step: Vectors, codes: Codes, vectors: Vectors
) -> None:
    """Decode n consecutive codes and write the vectors into `vectors`, float32 [n, width].

    low, step: fitted arrays of the codec, float32 [width].
    codes:     n codes, one after another.

    See `score_lists` for `cell`, `cells` and `stride`.
    """
    if cell == FLOAT32:
        _fill(_float32, 1, cells, stride, codes, vectors)
    elif cell == FLOAT16:
        _fill(_float16, 1, cells, stride, codes, vectors)
    elif cell == BFLOAT16:
        _fill(_bfloat16, 1, cells, stride, codes, vectors)
    elif cell == E4M3:
        _fill(_e4m3, 1, cells, stride, codes, vectors)
    elif cell == E5M2:
        _fill(_e5m2, 1, cells, stride, codes, vectors)
    elif cell == BYTE:
        _fill(_byte, 1, cells, stride, codes, vectors)
    elif cell == NIBBLES:
        _fill(_nibble, 2, cells, stride, codes, vectors)
    else:
        _fill(_bit, 8, cells, stride, codes, vectors)
    if cell == FLOAT32:
        return
    for row in range(len(vectors)):
        scale = float32_at(codes, (row + 1) * stride - 4)
        vector = vectors[row]
        for i in range(len(vector)):
            vector[i] = scale * (low[i] + step[i] * vector[i])
