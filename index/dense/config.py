"""Configuration of dense legs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from ...core import ConfigError, MissingExtraError
from ...core.kinds import OneOf, named
from ...encoders.config import ENCODERS, EncoderConfig
from ...encoders.dense.config import DenseEncoderConfig
from ..codecs.config import CODECS, ScalarCodec
from ..legs import LEGS, LegConfig
from ..structures.flat.config import FlatConfig
from ..structures.protocol import VectorFields, VectorStorage


@LEGS.register
class DenseLeg(LegConfig, VectorFields):
    """A leg that ranks by the inner product of dense vectors.

    If the encoder returns several vectors for a text, the leg ranks by MaxSim: the sum, over the
    query's vectors, of the greatest inner product with a vector of the passage.
    """

    segments = (".segment:VectorSegment", ".multi:MultiDenseSegment")
    deltas = (".delta:DenseDelta", ".multi:MultiDenseDelta")

    kind: Literal["dense"] = "dense"
    encoder: Annotated[
        EncoderConfig, OneOf(ENCODERS, default="dense", among=lambda one: "dense" in one.gives)
    ] = DenseEncoderConfig()
    """Encoder that produces the dense vectors."""

    @property
    def storage(self) -> VectorStorage:
        """Storage options of the vectors.

        With several vectors for a text and a lossy codec, `originals` is "none": only codes
        (compressed vectors) are stored, and results are not rescored.
        """
        return _storage(self)

    def building_bytes(self, rows: int, width: int) -> int:
        """Return the memory, in bytes, that a merge needs to build this leg's index.

        See `LegConfig.building_bytes`.
        """
        if self.multi or self.index.searches_exactly(self.storage, rows):
            return 0
        structure = self.index.structure(self.storage.used_codec)
        return structure.building_bytes(rows, width, self.storage)

    def check_installed(self) -> None:
        """Raise MissingExtraError if a library that the index needs is not installed.

        See `LegConfig.check_installed`.
        """
        if self.index.extra is not None and find_spec(self.index.extra[1]) is None:
            raise MissingExtraError(*self.index.extra)

    def check_stored(self) -> None:
        """Raise ConfigError if searches no longer support this stored configuration.

        See `LegConfig.check_stored`.
        """
        self.storage.check_stored()

    def warm(self) -> None:
        """Compile the search code of this leg, so that the first search does not wait.

        See `LegConfig.warm`.
        """
        named("..codecs.warm:warm", type(self))()

    @model_validator(mode="before")
    @classmethod
    def _tokens_are_many(cls, value: Any) -> Any:
        """Make int4 the default codec of a leg whose encoder returns a vector for each token.

        Token vectors as float32 take 50 to 100 times the bytes of the text. int4 leaves the
        nDCG@10 of reranked lists unchanged (docs/reranking.md)."""
        if not isinstance(value, Mapping) or value.get("codec") is not None:
            return value
        encoder = value.get("encoder")
        kind = encoder.get("kind") if isinstance(encoder, Mapping) else None
        found = type(encoder) if isinstance(encoder, EncoderConfig) else None
        if found is None and isinstance(kind, str):
            with suppress(ConfigError):  # Validation of the field reports it.
                found = ENCODERS.find(kind)
        if found is not None and found.per_token:
            return {**value, "codec": ScalarCodec(kind="int4")}
        return value

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        storage = self.storage  # Raises for options that conflict.
        if not self.multi:
            return self
        if not isinstance(self.index, FlatConfig):
            raise ValueError(
                "index: must be flat, because the encoder returns several vectors for a text; got "
                f"{self.index.kind}"
            )
        if not storage.held_codec.scalar:
            raise ValueError(
                f"codec: must be one of {', '.join(scalar_codecs())}, because the encoder returns "
                f"several vectors for a text; got {storage.held_codec.kind}"
            )
        if storage.kept != ("float32" if storage.lossless else "none"):
            raise ValueError(
                f"originals: must not be {storage.kept}, because a leg with several vectors for a "
                "text stores only codes; remove `originals`, and set the precision of the codes "
                'with `codec`, for example `{"kind": "float16"}`'
            )
        return self


@lru_cache(maxsize=128)
def _storage(leg: DenseLeg) -> VectorStorage:
    fields = {name: getattr(leg, name) for name in VectorStorage.model_fields}
    storage = VectorStorage.model_construct(**fields)
    storage.check()
    if leg.multi and leg.originals == "auto":
        coded = not storage.lossless and storage.held_codec.scalar
        return storage.model_copy(update={"originals": "none" if coded else storage.kept})
    return storage


def scalar_codecs() -> tuple[str, ...]:
    """Return the names of the codecs that store each dimension separately (not PQ)."""
    return tuple(CODECS.classes(lambda codec: codec.scalar))
