"""Configurations of codecs and projections. The other modules of this package implement them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from ...core import Config, ConfigError
from ...core.bounds import Bounds, PositiveShare
from ...core.kinds import Kinds
from ..arrays.vectors import Vectors
from .protocol import Codec

Width = Annotated[int, Bounds(1, 65_536)]
"""Number of dimensions of a vector, or of pieces of a vector."""


class CodecConfig(Config):
    """Base class of codec configurations.

    scalar:     True if each dimension is stored separately.
    own:        True if Twindex implements the codec as a `Codec`; False if FAISS implements it.
    decodable:  True if an encoded vector can be decoded.
    """

    scalar: ClassVar[bool] = False
    own: ClassVar[bool] = True
    decodable: ClassVar[bool] = True

    kind: str

    def fit(self, sample: Vectors) -> Codec:
        """Return a codec fitted on a sample of vectors, float32 [n, width] with n >= 1.

        Raises ValueError for a codec that FAISS implements.
        """
        raise ValueError(
            f"the codec {self.kind} cannot be used outside a FAISS index: choose a codec that "
            "Twindex implements, such as int8"
        )

    def load(self, path: Path) -> Codec:
        """Load a codec from a file that `Codec.save` wrote.

        Raises OSError if the file cannot be read. Raises ValueError if the file belongs to another
        codec, or if FAISS implements this codec.
        """
        raise ValueError(
            f"the codec {self.kind} cannot be used outside a FAISS index: choose a codec that "
            "Twindex implements, such as int8"
        )

    def check_width(self, dimensions: int) -> None:
        """Raise ConfigError if the codec does not support vectors of this many dimensions."""


CODECS = Kinds(CodecConfig, "codec", "twindex.codecs")
"""Registry of the kinds of codec."""

FAISS_BITS = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "int4": 4}
"""Bits per dimension of each codec that both Twindex and FAISS implement."""


@CODECS.register
class ScalarCodec(CodecConfig):
    """A codec without options that stores each dimension separately.

    `twindex.index.codecs.classes` lists the class of each kind.
    """

    scalar = True

    kind: Literal[
        "float32", "float16", "bfloat16", "float8_e4m3", "float8_e5m2", "int4", "binary"
    ] = "float32"

    def fit(self, sample: Vectors) -> Codec:
        """Return a codec fitted on a sample of vectors, float32 [n, width] with n >= 1.

        See `CodecConfig.fit`.
        """
        from .classes import SCALARS

        return SCALARS[self.kind].fit(sample)

    def load(self, path: Path) -> Codec:
        """Load a codec from a file that `Codec.save` wrote. See `CodecConfig.load`."""
        from .classes import SCALARS

        return SCALARS[self.kind].load(path)


@CODECS.register
class Int8Codec(CodecConfig):
    """8 bits per dimension: 256 equally spaced levels from the smallest to the largest value."""

    scalar = True

    kind: Literal["int8"] = "int8"
    scope: Literal["dimension", "global"] = "dimension"
    """Range of values that the codes cover: one range for each dimension ("dimension"), or one for
    all dimensions ("global")."""

    def fit(self, sample: Vectors) -> Codec:
        """Return a codec fitted on a sample of vectors, float32 [n, width] with n >= 1.

        See `CodecConfig.fit`.
        """
        from .integers import Int8

        return Int8.fit(sample, by_dimension=self.scope == "dimension")

    def load(self, path: Path) -> Codec:
        """Load a codec from a file that `Codec.save` wrote. See `CodecConfig.load`."""
        from .integers import Int8

        return Int8.load(path)


@CODECS.register
class PqCodec(CodecConfig):
    """Product quantisation (Jegou et al. 2011): stores each piece of a vector in `bits` bits.

    Codes of 4 bits are faster to search: FAISS compares them in processor registers (FastScan).
    """

    own = False

    kind: Literal["pq"] = "pq"
    subquantizers: Width | None = None
    """Number of pieces that a vector is cut into; None: one piece for every 2 dimensions, or one
    for each dimension if their number is odd."""
    bits: Literal[4, 8] = 4
    """Bits per piece."""

    def pieces(self, dimensions: int) -> int:
        """Return the number of pieces that a vector with this number of dimensions is cut into.

        Raises ConfigError if `dimensions` is not a multiple of `subquantizers`.
        """
        if self.subquantizers is None:
            return dimensions // 2 if dimensions % 2 == 0 else dimensions
        if dimensions % self.subquantizers:
            raise ConfigError(
                f"vectors of {dimensions} dimensions cannot be cut into {self.subquantizers} equal "
                f"pieces: choose a divisor of {dimensions}",
                field="codec.subquantizers",
            )
        return self.subquantizers

    def check_width(self, dimensions: int) -> None:
        """Raise ConfigError if the codec does not support vectors of this many dimensions.

        See `CodecConfig.check_width`.
        """
        self.pieces(dimensions)


@CODECS.register
class RabitqCodec(CodecConfig):
    """RaBitQ (Gao and Long 2024, 2025): random rotation, then `bits` bits for each dimension."""

    own = False
    decodable = False

    kind: Literal["rabitq"] = "rabitq"
    bits: Annotated[int, Bounds(1, 9)] = 1
    """Bits per dimension."""


class BaseProjection(Config):
    """Base class of the configurations of projections. Requires either `dimensions` or `share`."""

    kind: str
    dimensions: Width | None = None
    """Number of dimensions to keep."""
    share: PositiveShare | None = None
    """Share of the dimensions to keep, for example 0.5 for half of them."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.dimensions is None) == (self.share is None):
            given = "neither" if self.share is None else "both"
            raise ValueError(f"give exactly one of `dimensions` and `share`, got {given}")
        return self

    def kept(self, dimensions: int) -> int:
        """Return how many of the `dimensions` of a vector the projection keeps.

        Raises ConfigError if the configuration requires more dimensions than the vectors have.
        """
        wanted = self.dimensions or max(1, round(dimensions * (self.share or 1)))
        if wanted > dimensions:
            raise ConfigError(
                f"the projection keeps {wanted} dimensions, but the vectors have {dimensions}: "
                "keep fewer dimensions, or remove the projection",
                field="projection.dimensions",
            )
        return wanted

    def axes(self, sample: Vectors) -> Vectors:
        """Return the axes to keep, as orthonormal rows, float32 [kept, d].

        sample: vectors to fit the axes on, float32 [n, d].

        Raises ConfigError if the projection keeps more than d dimensions.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement axes()")


PROJECTIONS = Kinds(BaseProjection, "projection", "twindex.projections")
"""Registry of the kinds of projection."""


@PROJECTIONS.register
class ProjectionConfig(BaseProjection):
    """A projection to fewer dimensions that keeps the length of each vector."""

    kind: Literal["pca", "random", "matryoshka"] = "pca"
    """"pca": principal axes, fitted on a sample. "random": random orthonormal axes with a fixed
    seed. "matryoshka": the first dimensions, for encoders trained so that these suffice."""

    def axes(self, sample: Vectors) -> Vectors:
        """Return the axes to keep, as orthonormal rows, float32 [kept, d].

        See `BaseProjection.axes`.
        """
        from .axes import AXES

        return AXES[self.kind](sample, self.kept(sample.shape[1]))
