"""Converts float16 bits to float32 in compiled functions, because Numba has no float16 type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_SIGN = np.uint32(0x8000)
_REST = np.uint32(0x7FFF)
_LEAST_NORMAL = np.uint32(0x0400)
_INFINITE = np.uint32(0x7C00)
_REBIAS = np.uint32((127 - 15) << 23)
_STEP = np.float32(2.0**-24)
"""Numbers below the smallest normal float16 are multiples of this."""


def _widened(typing: Any, bits: Any) -> Any:
    """Convert float16 bits (uint16) to float32; a float32 argument is returned unchanged.

    Uses the conversion instruction of the processor, or `by_bits` if there is no such instruction.
    The instruction is 2 to 3 times as fast.
    """
    if bits == types.float32:
        return types.float32(bits), lambda context, builder, signature, arguments: arguments[0]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        triple, _, features = context.codegen().magic_tuple()
        if "+f16c" in features.split(",") or triple.startswith(("aarch64", "arm64")):
            half = builder.bitcast(arguments[0], ir.HalfType())
            return builder.fpext(half, ir.FloatType())
        return context.compile_internal(builder, by_bits, signature, arguments)

    return types.float32(types.uint16), generate


widened = cast(Callable[[np.uint16 | np.float32], np.float32], intrinsic(_widened))


def by_bits(bits: np.uint16) -> np.float32:
    """Convert float16 bits to float32 by bit operations, on any processor."""
    whole = np.uint32(bits)
    rest = np.uint32(whole & _REST)
    sign = np.uint32(np.uint32(whole & _SIGN) << np.uint32(16))
    shift = np.uint32(_REBIAS + _REBIAS) if rest >= _INFINITE else _REBIAS
    normal = np.uint32(np.uint32(rest << np.uint32(13)) + shift)
    small = np.float32(np.float32(np.int32(rest)) * _STEP).view(np.uint32)
    size = small if rest < _LEAST_NORMAL else normal
    return np.uint32(size | sign).view(np.float32)
