"""Unaligned reads of numbers from bytes, for compiled functions. Bounds are not checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .protocol import Codes


def _read(result: Any, stored: Any) -> Any:
    """Return a Numba intrinsic that reads a number: (array of bytes, byte offset) -> number.

    result: Numba type of the number.
    stored: LLVM type of the number in the array.
    """

    def function(typing: Any, array: Any, position: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            pointer = builder.gep(data, [arguments[1]])
            return builder.load(builder.bitcast(pointer, stored.as_pointer()), align=1)

        return result(array, types.int64), generate

    return intrinsic(function)


float32_at: Callable[[Codes, int], np.float32] = _read(types.float32, ir.FloatType())
uint8_at: Callable[[Codes, int], np.uint8] = _read(types.uint8, ir.IntType(8))
uint16_at: Callable[[Codes, int], np.uint16] = _read(types.uint16, ir.IntType(16))
