"""Table of the codecs that have no options: kind -> class."""

from __future__ import annotations

from .floats import BFloat16, Float8E4M3, Float8E5M2, Float16, Float32
from .integers import Int4
from .signs import Binary

SCALARS: dict[str, type[Float32 | Float16 | BFloat16 | Float8E4M3 | Float8E5M2 | Int4 | Binary]] = {
    kind.kind: kind for kind in (Float32, Float16, BFloat16, Float8E4M3, Float8E5M2, Int4, Binary)
}
"""Codec class for each value of `ScalarCodec.kind`."""
