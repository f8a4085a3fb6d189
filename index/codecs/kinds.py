"""The kinds of codec and of projection that come with Twindex, a line each."""

from __future__ import annotations

from .config import (
    CODECS,
    PROJECTIONS,
    Int8Codec,
    PqCodec,
    ProjectionConfig,
    RabitqCodec,
    ScalarCodec,
)

CODECS.register(ScalarCodec)
CODECS.register(Int8Codec)
CODECS.register(PqCodec)
CODECS.register(RabitqCodec)
PROJECTIONS.register(ProjectionConfig)
