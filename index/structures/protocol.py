"""Protocol and configuration of vector indexes.

    originals   the original vectors, on disk, for rescoring, exact search and merging
    projection  reduces the dimensions; fitted on a sample of the segment
    codec       encodes vectors in fewer bytes; the index stores and scores the encoded vectors
    index       finds candidates: decides which vectors a search compares

A `VectorStorage` holds one combination of these. The segment (`twindex.index.dense.segment`) does
what all kinds of index need: it keeps originals, projects, rescores, calibrates, and searches
exactly if few rows are allowed. A `Structure` finds the candidates.
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
from .vector_search import VectorSearch

Parameters = Mapping[str, int]
"""Search parameters by name, e.g. {"nprobe": 16, "oversample": 4}; see `VectorSearch`."""

CODED_FROM = 1_000
"""Segments with fewer vectors are neither coded nor projected: they gain too little."""


class IndexConfig(Config):
    """Base class of the configurations of vector indexes.

    made_by:       the `Structure` class, as "module:name"; ".module:name" is relative to the module
                   of the configuration.
    usual_codec:   default codec; None if the index has its own encoding and supports no codec.
    parameters:    fields of `VectorSearch`, besides `recall`, that the index supports.
    search_fields: fields of the configuration that affect only searches, not stored files.
    on_disk:       True if searches read few pages of large files. Originals are then usually not in
                   memory.
    extra:         extra (optional dependencies) of Twindex that the index requires, and a module
                   that the extra installs; None: no extra.

    If a subclass has a field `flat_below`, segments with fewer passages than its value are searched
    exactly.
    """

    made_by: ClassVar[str]
    usual_codec: ClassVar[CodecConfig | None] = ScalarCodec(kind="float32")
    parameters: ClassVar[tuple[str, ...]] = ()
    search_fields: ClassVar[tuple[str, ...]] = ("recall",)
    on_disk: ClassVar[bool] = False
    extra: ClassVar[tuple[str, str] | None] = None

    kind: str

    @classmethod
    def supports_codec(cls, codec: type[CodecConfig], kind: str) -> bool:
        """Return True if the index supports a codec of this class and kind."""
        return codec.own

    def check(self, codec: CodecConfig | None) -> None:
        """Raise ValueError for options that conflict with the codec."""

    def searches_exactly(self, storage: VectorStorage, rows: int) -> bool:
        """Return True if a segment of `rows` vectors is searched exactly, without a structure."""
        return rows < int(dict(self).get("flat_below", 0))

    @property
    def layout(self) -> Self:
        """A copy of the configuration in which the fields that affect only searches are None."""
        given = [name for name in self.search_fields if name in type(self).model_fields]
        return self.model_copy(update=dict.fromkeys(given))

    @property
    def search(self) -> VectorSearch:
        """Default parameters of searches, from this configuration. Their bounds are not checked."""
        fields = dict(self)
        given = {name: fields.get(name) for name in ("recall", *self.parameters)}
        return VectorSearch.stored(given)

    def structure(self, codec: CodecConfig | None) -> type[Structure]:
        """Return the Structure class for vectors stored with `codec`."""
        found: type[Structure] = named(self.made_by, type(self))
        return found


C = TypeVar("C", bound=IndexConfig)


def settings(storage: VectorStorage, kind: type[C]) -> C:
    """Return `storage.index`. Raises TypeError if it is not an instance of `kind`."""
    if not isinstance(storage.index, kind):
        raise TypeError(
            f"the index configuration must be a {kind.__name__}, got {type(storage.index).__name__}"
        )
    return storage.index


STRUCTURES = Kinds(IndexConfig, "index", "twindex.indexes")
"""Registry of the kinds of vector index."""


def codecs_of(index: type[IndexConfig]) -> tuple[str, ...]:
    """Return the names of the codecs that an index supports, the default codec first."""
    usual = index.usual_codec
    able = [name for name, codec in CODECS.classes().items() if index.supports_codec(codec, name)]
    return tuple(sorted(able, key=lambda name: usual is None or name != usual.kind))


class VectorFields(Config):
    """Options for storing the vectors of a dense leg."""

    index: Annotated[IndexConfig, OneOf(STRUCTURES)] = Field(
        default_factory=lambda: STRUCTURES.parse({"kind": "flat"})
    )
    """Kind of index; by default `flat`, which compares every vector."""
    codec: Annotated[CodecConfig, OneOf(CODECS)] | None = None
    """Codec in which the index stores vectors; None: the default codec of the index."""
    projection: Annotated[BaseProjection, OneOf(PROJECTIONS, default="pca")] | None = None
    """Reduces the number of dimensions of the vectors in the index; None: keep all dimensions."""
    originals: Literal["auto", "float32", "float16", "none"] = "auto"
    """Original vectors kept for rescoring, exact search and merging: "float16", "float32", "none",
    or "auto". "none" keeps only encoded vectors, which lose precision with each merge. "auto" is
    float32 if the codec is float32 and there is no projection, else float16."""


class VectorStorage(VectorFields):
    """The options of `VectorFields`, with properties derived from them."""

    @property
    def used_codec(self) -> CodecConfig | None:
        """The configured codec or the default of the index; None for ScaNN, which has no codec."""
        return self.index.usual_codec if self.codec is None else self.codec

    @property
    def layout(self) -> VectorStorage:
        """The options that affect stored files: all except search parameters."""
        return VectorStorage(**{**dict(self), "index": self.index.layout})

    @property
    def held_codec(self) -> CodecConfig:
        """Like `used_codec`, but never None. Must not be used for ScaNN, which has no codec."""
        codec = self.used_codec
        assert codec is not None, "ScaNN has no codec"
        return codec

    @property
    def lossless(self) -> bool:
        """True if the index stores the vectors unchanged, as float32."""
        codec = self.used_codec
        return codec is not None and codec.kind == "float32" and self.projection is None

    @property
    def kept(self) -> Literal["float32", "float16", "none"]:
        """Type of the stored originals: the option `originals` with "auto" resolved."""
        if self.originals != "auto":
            return self.originals
        return "float32" if self.lossless else "float16"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Fields of VectorSearch, besides `recall`, that searches support."""
        own = self.index.parameters
        return own if self.lossless or self.kept == "none" else (*own, "oversample")

    def check_stored(self) -> None:
        """Raise ConfigError if a number is outside its bounds.

        Loading a configuration from disk does not check them; see `Config.stored`.
        """
        problem = _stored_problem(self)
        if problem is not None:
            raise ConfigError(problem.message, field=problem.field)

    def check_width(self, dimensions: int) -> None:
        """Raise ConfigError if the options do not support vectors of this many dimensions."""
        left = dimensions if self.projection is None else self.projection.kept(dimensions)
        if self.codec is not None:
            self.codec.check_width(left)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.check()
        return self

    def check(self) -> None:
        """Raise ValueError if index, codec and originals conflict."""
        given = self.codec
        if given is not None and not self.index.supports_codec(type(given), given.kind):
            codecs = codecs_of(type(self.index))
            able = (
                f"use {', '.join(codecs)}"
                if codecs
                else "remove codec, because the index has its own"
            )
            raise ValueError(
                f"the index {self.index.kind} does not support codec {given.kind}: {able}"
            )
        codec = self.used_codec
        self.index.check(codec)
        if self.kept == "none" and (codec is None or not codec.decodable):
            held = f"the index {self.index.kind}" if codec is None else f"the codec {codec.kind}"
            raise ValueError(
                f"{held} cannot decode vectors, so originals must be kept: "
                'set `originals` to "float16"'
            )


@lru_cache(maxsize=128)
def _stored_problem(storage: VectorStorage) -> ConfigError | None:
    try:
        VectorStorage.parse(storage.model_dump())
    except ConfigError as error:
        return error
    return None


class Structure(Protocol):
    """A vector index over one segment: immutable files in a directory, searched by inner product.

    Several threads may search at once. `len` is the number of vectors.
    """

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """Write the files of the index into `directory`. Other files there stay unchanged.

        memory: bytes that the build may use, approximately, in addition to `building_bytes`.
        progress: `advance` is called with the number of vectors processed since the last call.

        The result is deterministic as far as the underlying library allows.
        """

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Open the files of an index. Raises OSError or ValueError for a damaged or absent file."""

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """Return the minimum memory, in bytes, to build an index of `rows` vectors."""

    def __len__(self) -> int: ...

    @property
    def memory(self) -> int:
        """Bytes in memory of an open index, including mapped pages that searches read."""

    @property
    def exact_vectors(self) -> Vectors | None:
        """The original vectors, mapped, if the index itself stores them; None otherwise.

        Only the index hnsw with codec float32 stores them. The segment then has no copy of its own.
        """

    def ladder(self) -> Sequence[Parameters]:
        """Return the search parameters to calibrate, cheapest first, all with the same keys.

        If they contain "oversample", the segment requests that many candidates for each result and
        rescores them. Without it, or with 0, the scores of the index are final.
        """

    def cost(self, parameters: Parameters, k: int) -> float:
        """Estimate the time of a search for k results for one query.

        The unit is the time to compare the query with one original vector in an exact search.
        """

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """Return up to k candidates for each query among the allowed rows, best first.

        queries:    contiguous float32 [n, width].
        parameters: values for the keys of `ladder`.
        allowed:    mask of the rows to search; None: all.

        Scores are those of the index, not rescored. A query with fewer candidates is padded with
        row -1 and score -inf.
        """

    def read(self, start: int, stop: int) -> Vectors:
        """Return vectors `start` to `stop` (exclusive), decoded, float32 [stop - start, width].

        Required only if no originals are kept.
        """
