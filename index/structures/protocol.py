"""What a vector index is: its configuration, how it stores vectors, and what it offers.

    originals   each vector as it came, on disk, for rescoring, exact search and merging
    projection  fewer dimensions, fitted on a sample of the segment
    codec       fewer bytes for each dimension; what the index holds and first scores by
    index       which vectors are looked at

A stored combination is one `VectorStorage`. The segment (`twindex.index.dense.segment`) does what
all kinds of index need: originals, projection, rescoring, exact search where few rows are allowed,
calibration. A `Structure` finds candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol, Self, TypeVar

from pydantic import Field, model_validator

from ...core import Config, ConfigError, Progress
from ...core.kinds import Kinds, OneOf, named
from ..arrays.vectors import Vectors, VectorSource
from ..codecs.config import CODECS, PROJECTIONS, BaseProjection, CodecConfig, ScalarCodec
from ..protocol import Mask, Ranking
from .looking import VectorSearch

Parameters = Mapping[str, int]
"""How far a search looks, e.g. {"nprobe": 16, "oversample": 4}; see `VectorSearch`."""

CODED_FROM = 1_000
"""Fewer vectors are neither coded nor projected: there is nothing to fit on and little to gain."""


class IndexConfig(Config):
    """What the configuration of every kind of vector index has.

    made_by:    its `Structure`, as "module:name"; ".module:name" is beside the configuration.
    usual_codec: where none is configured; None = it has its own way and takes none.
    parameters: fields of `VectorSearch`, besides `recall`, that mean something to it.
    looking:    its own fields that say how far searches look, and decide no files.
    on_disk:    its search reads few pages of a large file: originals are not expected in memory.
    extra:      the extra of Twindex that it needs, and the module by which that is found.

    A field `flat_below` says below how many passages a segment is searched exactly instead.
    """

    made_by: ClassVar[str]
    usual_codec: ClassVar[CodecConfig | None] = ScalarCodec(kind="float32")
    parameters: ClassVar[tuple[str, ...]] = ()
    looking: ClassVar[tuple[str, ...]] = ("recall",)
    on_disk: ClassVar[bool] = False
    extra: ClassVar[tuple[str, str] | None] = None

    kind: str

    @classmethod
    def holds(cls, codec: type[CodecConfig], kind: str) -> bool:
        """Whether vectors can be held in a codec."""
        return codec.own

    def check(self, codec: CodecConfig | None) -> None:
        """Raise ValueError for options that do not go with the codec that is used."""

    def plain(self, storage: VectorStorage, rows: int) -> bool:
        """So many vectors are kept as they are and searched exactly, without a structure."""
        return rows < int(dict(self).get("flat_below", 0))

    @property
    def layout(self) -> Self:
        """What decides the files."""
        looking = [name for name in self.looking if name in type(self).model_fields]
        return self.model_copy(update=dict.fromkeys(looking))

    @property
    def search(self) -> VectorSearch:
        """How far a search looks that does not say. What is stored may lie beyond the bounds."""
        fields = dict(self)
        given = {name: fields.get(name) for name in ("recall", *self.parameters)}
        return VectorSearch.stored(given)

    def structure(self, codec: CodecConfig | None) -> type[Structure]:
        """The class of its structures over vectors that a codec holds."""
        found: type[Structure] = named(self.made_by, type(self))
        return found


C = TypeVar("C", bound=IndexConfig)


def settings(storage: VectorStorage, kind: type[C]) -> C:
    """The configuration of the index. Raises TypeError for that of another kind."""
    if not isinstance(storage.index, kind):
        raise TypeError(f"{kind.__name__} is wanted, got the configuration of {storage.index.kind}")
    return storage.index


STRUCTURES = Kinds(IndexConfig, "index", "twindex.indexes")
"""The kinds of vector indexes."""


def codecs_of(index: type[IndexConfig]) -> tuple[str, ...]:
    """Names of the codecs that an index can hold, the usual one first."""
    usual = index.usual_codec
    able = [name for name, codec in CODECS.classes().items() if index.holds(codec, name)]
    return tuple(sorted(able, key=lambda name: usual is None or name != usual.kind))


class VectorFields(Config):
    """How the vectors of a leg are stored."""

    index: Annotated[IndexConfig, OneOf(STRUCTURES)] = Field(
        default_factory=lambda: STRUCTURES.parse({"kind": "flat"})
    )
    """Which vectors are looked at; `flat` if nothing is said."""
    codec: Annotated[CodecConfig, OneOf(CODECS)] | None = None
    """How the index holds vectors; None = the usual one of the index."""
    projection: Annotated[BaseProjection, OneOf(PROJECTIONS, default="pca")] | None = None
    """Fewer dimensions for the index."""
    originals: Literal["auto", "float32", "float16", "none"] = "auto"
    """Kept for rescoring, exact search and merging: "float16", "float32", "none" (what the codec
    lost is then lost for good, more with each merge), or "auto": float16, but float32 where the
    codec is float32 and no dimension is dropped."""


class VectorStorage(VectorFields):
    """How vectors are stored, and what follows from it. See `VectorFields`."""

    @property
    def used_codec(self) -> CodecConfig | None:
        """The codec that the index holds; None for ScaNN, which has its own."""
        return self.index.usual_codec if self.codec is None else self.codec

    @property
    def layout(self) -> VectorStorage:
        """What decides the files: all but how far searches look."""
        return VectorStorage(**{**dict(self), "index": self.index.layout})

    @property
    def held_codec(self) -> CodecConfig:
        """The same, for indexes that are not ScaNN's."""
        codec = self.used_codec
        assert codec is not None, "only ScaNN has none"
        return codec

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
        own = self.index.parameters
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
        if self.codec is not None:
            self.codec.check_width(left)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.check()
        return self

    def check(self) -> None:
        """Raise ValueError for parts that do not go together."""
        if self.codec is not None and not self.index.holds(type(self.codec), self.codec.kind):
            codecs = codecs_of(type(self.index))
            able = ", ".join(codecs) if codecs else "none but its own: leave codec out"
            raise ValueError(
                f"the index {self.index.kind} cannot hold codec {self.codec.kind}; it can: {able}"
            )
        codec = self.used_codec
        self.index.check(codec)
        if self.kept == "none" and (codec is None or not codec.gives_back):
            held = f"the index {self.index.kind}" if codec is None else f"the codec {codec.kind}"
            raise ValueError(
                f"originals: {held} gives no vectors back, so originals must be kept: float16"
            )


@lru_cache(maxsize=128)
def _stored_problem(storage: VectorStorage) -> ConfigError | None:
    try:
        VectorStorage.parse(storage.model_dump())
    except ConfigError as error:
        return error
    return None


class Structure(Protocol):
    """One kind of index over the vectors of one segment: immutable files in a directory, searched
    by inner product, by several threads at once. `len` is the number of vectors."""

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """Write files for all `vectors` into `directory`, whose other files it leaves alone.

        Takes `memory` bytes or so beyond what the structure itself must hold (`building_bytes`).
        Deterministic as far as the library below allows. `progress.advance` counts vectors, each
        once in all.
        """

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Raises OSError or ValueError for what cannot be read."""

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """Memory that a build of so many vectors holds however little it is given."""

    def __len__(self) -> int: ...

    @property
    def memory(self) -> int:
        """Bytes that the structure holds in memory once it is open (mapped pages it must touch for
        each search included)."""

    @property
    def exact_vectors(self) -> Vectors | None:
        """The vectors as they came, mapped, where the structure itself must hold them (a graph over
        float32); then no copy is kept beside it. Else None."""

    def ladder(self) -> Sequence[Parameters]:
        """Settings to calibrate, from the cheapest to the dearest, all with the same keys.

        With "oversample" as a key, the segment asks for that many candidates for each result and
        rescores them; without it, or with 0, the structure's scores stand.
        """

    def cost(self, parameters: Parameters, k: int) -> float:
        """How many rows could be compared one by one with as much work. Need not be precise."""

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """Up to k candidates for each query among the allowed rows, best first, by the structure's
        own scores; padded with row -1 and score -inf. Finding fewer is no error.

        queries: float32 [n, width], contiguous. `parameters` has the keys of the ladder.
        """

    def read(self, start: int, stop: int) -> Vectors:
        """The vectors as the structure still knows them: needed where no originals are kept."""
