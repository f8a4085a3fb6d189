"""Codecs and projections, configured. What they do is in the modules beside this one."""

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
"""Dimensions of a vector, or pieces that it is cut into."""


class CodecConfig(Config):
    """What every codec has.

    scalar:     it stores each dimension by itself.
    own:        it is a `Codec`; the others FAISS has inside its indexes.
    gives_back: a code can be turned into a vector again.
    """

    scalar: ClassVar[bool] = False
    own: ClassVar[bool] = True
    gives_back: ClassVar[bool] = True

    kind: str

    def fit(self, sample: Vectors) -> Codec:
        """The codec for vectors like those of the sample, float32 [n, width]; n is at least 1."""
        raise ValueError(f"{self.kind} is no codec by itself: an index of FAISS holds it")

    def load(self, path: Path) -> Codec:
        """What `Codec.save` wrote. Raises OSError, or ValueError for a file of another codec."""
        raise ValueError(f"{self.kind} is no codec by itself: an index of FAISS holds it")

    def check_width(self, dimensions: int) -> None:
        """Raise ConfigError if vectors of so many dimensions cannot be coded so."""


CODECS = Kinds(CodecConfig, "codec", "twindex.codecs")
"""The kinds of codecs."""

FAISS_BITS = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "int4": 4}
"""Bits of a dimension in those of our codecs that FAISS has too."""


@CODECS.register
class ScalarCodec(CodecConfig):
    """Each dimension by itself, nothing to choose. See `twindex.index.codecs`."""

    scalar = True

    kind: Literal[
        "float32", "float16", "bfloat16", "float8_e4m3", "float8_e5m2", "int4", "binary"
    ] = "float32"

    def fit(self, sample: Vectors) -> Codec:
        """See CodecConfig."""
        from .classes import SCALARS

        return SCALARS[self.kind].fit(sample)

    def load(self, path: Path) -> Codec:
        """See CodecConfig."""
        from .classes import SCALARS

        return SCALARS[self.kind].load(path)


@CODECS.register
class Int8Codec(CodecConfig):
    """256 equal steps from the least to the largest value."""

    scalar = True

    kind: Literal["int8"] = "int8"
    scope: Literal["dimension", "global"] = "dimension"
    """A range for each dimension ("dimension"), or one for all ("global")."""

    def fit(self, sample: Vectors) -> Codec:
        """See CodecConfig."""
        from .integers import Int8

        return Int8.fit(sample, by_dimension=self.scope == "dimension")

    def load(self, path: Path) -> Codec:
        """See CodecConfig."""
        from .integers import Int8

        return Int8.load(path)


@CODECS.register
class PqCodec(CodecConfig):
    """Product quantisation (Jegou et al. 2011); 4-bit codes are scanned in registers (FastScan)."""

    own = False

    kind: Literal["pq"] = "pq"
    subquantizers: Width | None = None
    """Pieces of a vector; None = one for every 2 dimensions."""
    bits: Literal[4, 8] = 4
    """Bits of a piece."""

    def pieces(self, dimensions: int) -> int:
        """Of a vector of so many dimensions. Raises ConfigError if it has no such pieces."""
        if self.subquantizers is None:
            return dimensions // 2 if dimensions % 2 == 0 else dimensions
        if dimensions % self.subquantizers:
            raise ConfigError(
                f"{self.subquantizers} pieces do not divide the {dimensions} dimensions of vectors",
                field="codec.subquantizers",
            )
        return self.subquantizers

    def check_width(self, dimensions: int) -> None:
        """See CodecConfig."""
        self.pieces(dimensions)


@CODECS.register
class RabitqCodec(CodecConfig):
    """RaBitQ (Gao and Long 2024; extended 2025): a random rotation, then `bits` a dimension."""

    own = False
    gives_back = False

    kind: Literal["rabitq"] = "rabitq"
    bits: Annotated[int, Bounds(1, 9)] = 1
    """Bits of a dimension."""


class BaseProjection(Config):
    """What every projection has: how many dimensions are kept. Give exactly one of them."""

    kind: str
    dimensions: Width | None = None
    """How many are kept."""
    share: PositiveShare | None = None
    """How many are kept, as a part of all; one of both must be given."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.dimensions is None) == (self.share is None):
            raise ValueError("give exactly one of dimensions and share")
        return self

    def kept(self, dimensions: int) -> int:
        """How many are left of so many. Raises ConfigError if more are wanted than there are."""
        wanted = self.dimensions or max(1, round(dimensions * (self.share or 1)))
        if wanted > dimensions:
            raise ConfigError(
                f"{wanted} are more than the {dimensions} dimensions of the vectors: "
                "ask for fewer, or leave the projection out",
                field="projection.dimensions",
            )
        return wanted

    def axes(self, sample: Vectors) -> Vectors:
        """Orthonormal rows, float32 [kept, d], for vectors like those of the sample, float32
        [n, d]. Raises ConfigError if more dimensions are wanted than there are."""
        raise NotImplementedError(f"{type(self).__name__} does not say which axes it keeps")


PROJECTIONS = Kinds(BaseProjection, "projection", "twindex.projections")
"""The kinds of projections."""


@PROJECTIONS.register
class ProjectionConfig(BaseProjection):
    """Fewer dimensions, after which vectors get their length back."""

    kind: Literal["pca", "random", "matryoshka"] = "pca"
    """Principal axes, fitted ("pca"); orthonormal directions, seeded ("random"); or the first
    dimensions, for encoders trained so ("matryoshka")."""

    def axes(self, sample: Vectors) -> Vectors:
        """See BaseProjection."""
        from .axes import AXES

        return AXES[self.kind](sample, self.kept(sample.shape[1]))
