"""How the vectors of a dense leg are stored and searched: index x codec x projection.

    originals   each vector as it came, on disk, for rescoring, exact search and merging
    projection  fewer dimensions, fitted on a sample of the segment
    codec       fewer bytes for each dimension; what the index holds and first scores by
    index       which vectors are looked at

A stored combination is one `VectorStorage`; what a search may say about it is one `VectorSearch`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from .bounds import Bounds, Effort, PositiveShare, Rows
from .config_base import Config
from .errors import ConfigError

DEFAULT_RECALL = 0.98
"""Share of the true nearest neighbours that an approximate index must find, if nothing is said."""

Recall = PositiveShare

Width = Annotated[int, Bounds(1, 65_536)]
"""Dimensions of a vector, or pieces that it is cut into."""

C = TypeVar("C", bound=Config)


class ScalarCodec(Config):
    """Each dimension by itself, nothing to choose. See `twindex.index.codecs`."""

    kind: Literal[
        "float32", "float16", "bfloat16", "float8_e4m3", "float8_e5m2", "int4", "binary"
    ] = "float32"


class Int8Codec(Config):
    """256 equal steps from the least to the largest value.

    scope: "dimension" fits a range for each dimension, "global" one for all.
    """

    kind: Literal["int8"] = "int8"
    scope: Literal["dimension", "global"] = "dimension"


class PqCodec(Config):
    """Product quantisation (Jegou et al. 2011); 4-bit codes are scanned in registers (FastScan).

    subquantizers: pieces of a vector; None = one for every 2 dimensions.
    """

    kind: Literal["pq"] = "pq"
    subquantizers: Width | None = None
    bits: Literal[4, 8] = 4

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


class RabitqCodec(Config):
    """RaBitQ (Gao and Long 2024; extended 2025): a random rotation, then `bits` a dimension."""

    kind: Literal["rabitq"] = "rabitq"
    bits: Annotated[int, Bounds(1, 9)] = 1


CodecConfig = Annotated[
    ScalarCodec | Int8Codec | PqCodec | RabitqCodec, Field(discriminator="kind")
]


class ProjectionConfig(Config):
    """Fewer dimensions, after which vectors get their length back.

    kind: "pca" (principal axes, fitted), "random" (orthonormal directions, seeded) or
    "matryoshka" (the first dimensions, for encoders trained so).
    dimensions, share: how many are kept, as a number or as a part of all; exactly one.
    """

    kind: Literal["pca", "random", "matryoshka"] = "pca"
    dimensions: Width | None = None
    share: PositiveShare | None = None

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


class FlatConfig(Config):
    """Every vector is compared: exact, as far as the codec is."""

    kind: Literal["flat"] = "flat"


class IvfConfig(Config):
    """Inverted lists around k-means centres (Sivic and Zisserman 2003) through FAISS.

    lists:  None = grows with the square root of the passages in a segment.
    replicas: lists that a vector is in; None = 2 for codec pq of 4 bits, whose codes are small,
            else 1. Other codecs have no choice.
    recall: of the 10 nearest, calibrated when a segment is built; None = DEFAULT_RECALL.
    nprobe: lists looked at, instead of a recall.
    flat_below: segments with fewer passages are searched exactly.
    """

    kind: Literal["ivf"] = "ivf"
    lists: Effort | None = None
    replicas: Literal[1, 2] | None = None
    recall: Recall | None = None
    nprobe: Effort | None = None
    flat_below: Rows = 20_000

    @model_validator(mode="after")
    def _one(self) -> Self:
        return _recall_or(self, "nprobe")


class HnswConfig(Config):
    """Graph search (Malkov and Yashunin 2018) through FAISS.

    recall: as for IvfConfig. ef_search: length of the list of candidates, instead of a recall.
    """

    kind: Literal["hnsw"] = "hnsw"
    neighbors: Annotated[int, Bounds(2, 256)] = 32
    ef_construction: Annotated[int, Bounds(8, 10_000)] = 200
    recall: Recall | None = None
    ef_search: Effort | None = None
    flat_below: Rows = 2_000
    """Segments with fewer passages are searched exactly; a graph gains nothing there."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        return _recall_or(self, "ef_search")


class ScannConfig(Config):
    """ScaNN (Guo et al. 2020): anisotropic product quantisation in a tree; extra `scann`.

    leaves: None = grows with the square root of the passages. recall, nprobe: as for IvfConfig.
    """

    kind: Literal["scann"] = "scann"
    leaves: Effort | None = None
    recall: Recall | None = None
    nprobe: Effort | None = None
    flat_below: Rows = 20_000

    @model_validator(mode="after")
    def _one(self) -> Self:
        return _recall_or(self, "nprobe")


class SpannConfig(Config):
    """Inverted lists on disk, their heads in memory (SPANN, Chen et al., NeurIPS 2021).

    head_share: heads for each vector; None = what keeps lists at about 40 KiB a list.
    replicas:   lists that a vector may be in; None = the least that reaches the recall cheaply,
                as measured on the vectors.
    epsilon:    a vector enters a list only if its head is at most 1 + epsilon times as far as the
                nearest; None = not tested (the paper's epsilon 1).
    recall, nprobe: as for IvfConfig; nprobe is the number of lists read.
    """

    kind: Literal["spann"] = "spann"
    head_share: Annotated[float, Bounds(0, 0.5, above=True)] | None = None
    replicas: Annotated[int, Bounds(1, 32)] | None = None
    epsilon: Annotated[float, Bounds(0, 1_000)] | None = None
    recall: Recall | None = None
    nprobe: Effort | None = None
    flat_below: Rows = 20_000

    @model_validator(mode="after")
    def _one(self) -> Self:
        return _recall_or(self, "nprobe")


def _recall_or(config: C, parameter: str) -> C:
    fields = dict(config)
    if fields[parameter] is not None and fields["recall"] is not None:
        raise ValueError(f"recall and {parameter} both say how far to look: give one")
    return config


VectorIndexConfig = Annotated[
    FlatConfig | IvfConfig | HnswConfig | ScannConfig | SpannConfig, Field(discriminator="kind")
]

SCALAR_CODECS = (
    "float32",
    "float16",
    "bfloat16",
    "float8_e4m3",
    "float8_e5m2",
    "int8",
    "int4",
    "binary",
)
"""Those that store each dimension by itself."""

CODECS_OF: dict[str, tuple[str, ...]] = {
    "flat": (*SCALAR_CODECS, "pq", "rabitq"),
    "ivf": ("pq", "float32", "float16", "bfloat16", "int8", "int4", "rabitq"),
    "hnsw": ("float32", "float16", "bfloat16", "int8", "int4"),
    "scann": (),
    "spann": ("int8", *(kind for kind in SCALAR_CODECS if kind != "int8")),
}
"""Kind of index -> codecs that it can hold, the usual one first. ScaNN has its own."""

_PARAMETERS: dict[str, tuple[str, ...]] = {
    "flat": (),
    "ivf": ("nprobe",),
    "hnsw": ("ef",),
    "scann": ("nprobe",),
    "spann": ("nprobe",),
}

_CODECS: dict[str, CodecConfig] = {
    **{
        kind: ScalarCodec.model_validate({"kind": kind}) for kind in SCALAR_CODECS if kind != "int8"
    },
    "int8": Int8Codec(),
    "pq": PqCodec(),
    "rabitq": RabitqCodec(),
}


def _small(codec: CodecConfig | None) -> bool:
    return isinstance(codec, PqCodec) and codec.bits == 4


class VectorStorage(Config):
    """How vectors are stored.

    codec:     None = the usual one of the index (the first in CODECS_OF).
    originals: kept for rescoring, exact search and merging: "float16", "float32", "none" (what
               the codec lost is then lost for good, more with each merge), or "auto": float16,
               but float32 where the codec is float32 and no dimension is dropped.
    """

    index: VectorIndexConfig = FlatConfig()
    codec: CodecConfig | None = None
    projection: ProjectionConfig | None = None
    originals: Literal["auto", "float32", "float16", "none"] = "auto"

    @property
    def used_codec(self) -> CodecConfig | None:
        """The codec that the index holds; None for ScaNN, which has its own."""
        if self.codec is not None:
            return self.codec
        codecs = CODECS_OF[self.index.kind]
        return _CODECS[codecs[0]] if codecs else None

    @property
    def layout(self) -> VectorStorage:
        """What decides the files: all but how far searches look.

        The lists of a vector in SPANN, unless their number is given, are chosen for the recall.
        """
        fields = self.storage_fields
        if not (isinstance(self.index, SpannConfig) and self.index.replicas is None):
            looking = {"recall", "nprobe", "ef_search"} & set(type(self.index).model_fields)
            fields["index"] = self.index.model_copy(update=dict.fromkeys(looking))
        return VectorStorage(**fields)

    @property
    def replicas(self) -> int:
        """Lists of an `ivf` index that a vector is in."""
        if not isinstance(self.index, IvfConfig) or not _small(self.used_codec):
            return 1
        return 2 if self.index.replicas is None else self.index.replicas

    @property
    def held_codec(self) -> CodecConfig:
        """The same, for indexes that are not ScaNN's."""
        codec = self.used_codec
        assert codec is not None, "only ScaNN has none"
        return codec

    @property
    def storage_fields(self) -> dict[str, Any]:
        """How vectors are stored, by field: what makes another leg store them so."""
        return {name: getattr(self, name) for name in VectorStorage.model_fields}

    @property
    def lossless(self) -> bool:
        """What the index holds is the vectors themselves, as float32."""
        codec = self.used_codec
        return codec is not None and codec.kind == "float32" and self.projection is None

    @property
    def kept(self) -> Literal["float32", "float16", "none"]:
        """What `originals` means here."""
        if self.originals != "auto":
            return self.originals
        return "float32" if self.lossless else "float16"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Fields of VectorSearch, besides `recall`, that mean something here."""
        own = _PARAMETERS[self.index.kind]
        return own if self.lossless or self.kept == "none" else (*own, "oversample")

    def check_stored(self) -> None:
        """Raise ConfigError if a number that was stored earlier lies beyond its bounds; see
        `Config.stored`. No search can use it."""
        problem = _stored_problem(self)
        if problem is not None:
            raise ConfigError(problem.message, field=problem.field)

    def check_width(self, dimensions: int) -> None:
        """Raise ConfigError if vectors of so many dimensions cannot be stored so."""
        left = dimensions if self.projection is None else self.projection.kept(dimensions)
        if isinstance(self.codec, PqCodec):
            self.codec.pieces(left)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        codecs = CODECS_OF[self.index.kind]
        if self.codec is not None and self.codec.kind not in codecs:
            able = ", ".join(codecs) if codecs else "none but its own: leave codec out"
            raise ValueError(
                f"the index {self.index.kind} cannot hold codec {self.codec.kind}; it can: {able}"
            )
        codec = self.used_codec
        if isinstance(self.index, IvfConfig) and self.index.replicas == 2 and not _small(codec):
            raise ValueError("index.replicas: only with codec pq of 4 bits can it be 2")
        if self.kept == "none" and (codec is None or codec.kind == "rabitq"):
            held = "the index scann" if codec is None else "the codec rabitq"
            raise ValueError(
                f"originals: {held} gives no vectors back, so originals must be kept: float16"
            )
        return self


@lru_cache(maxsize=128)
def _stored_problem(storage: VectorStorage) -> ConfigError | None:
    try:
        VectorStorage.parse(storage.model_dump(include=set(VectorStorage.model_fields)))
    except ConfigError as error:
        return error
    return None


class VectorSearch(Config):
    """How far an approximate index looks: by recall, or by its own parameters.

    recall:     share of the true nearest to be found, as calibrated; 1 = exact.
    nprobe:     lists looked at (ivf, scann, spann).
    ef:         length of the list of candidates (hnsw).
    oversample: candidates rescored from the originals for each result; 0 = none, the scores are
                then those of the codec.
    """

    recall: Recall | None = None
    nprobe: Effort | None = None
    ef: Effort | None = None
    oversample: Annotated[int, Bounds(0, 1_000)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.recall is not None and self.parameters:
            raise ValueError("recall and the parameters both say how far to look: give one")
        return self

    @property
    def parameters(self) -> dict[str, int]:
        """Those given."""
        given = {"nprobe": self.nprobe, "ef": self.ef, "oversample": self.oversample}
        return {name: value for name, value in given.items() if value is not None}
