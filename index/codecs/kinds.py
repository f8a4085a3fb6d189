"""The codec that a configuration means."""

from __future__ import annotations

from pathlib import Path

from ...core import CodecConfig, Int8Codec
from ..arrays.vectors import Vectors
from .floats import BFloat16, Float8E4M3, Float8E5M2, Float16, Float32
from .integers import Int4, Int8
from .protocol import Codec
from .signs import Binary

_KINDS: dict[
    str, type[Float32 | Float16 | BFloat16 | Float8E4M3 | Float8E5M2 | Int8 | Int4 | Binary]
] = {
    kind.kind: kind
    for kind in (Float32, Float16, BFloat16, Float8E4M3, Float8E5M2, Int8, Int4, Binary)
}


def fit_codec(config: CodecConfig, sample: Vectors) -> Codec:
    """A codec for vectors like those of the sample, float32 [n, width]; n is at least 1.

    Raises ValueError for product quantisation and RaBitQ, which FAISS has inside its indexes.
    """
    if isinstance(config, Int8Codec):
        return Int8.fit(sample, by_dimension=config.scope == "dimension")
    return _kind(config).fit(sample)


def load_codec(config: CodecConfig, path: Path) -> Codec:
    """What `Codec.save` wrote. Raises OSError, or ValueError for a file of another codec."""
    return _kind(config).load(path)


def _kind(
    config: CodecConfig,
) -> type[Float32 | Float16 | BFloat16 | Float8E4M3 | Float8E5M2 | Int8 | Int4 | Binary]:
    if config.kind not in _KINDS:
        raise ValueError(f"{config.kind} is no codec by itself: an index of FAISS holds it")
    return _KINDS[config.kind]
