"""Configuration objects: one vocabulary for Python, TOML, the command line and REST.

They are frozen pydantic models that refuse unknown fields, so that an option is never silently
ignored. Defaults are those of the papers named beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import ConfigError

LEG_NAME = r"^[a-z][a-z0-9_]{0,31}$"

Device = Literal["auto", "cpu", "cuda"]
"""Where a model runs; "auto" is CUDA where there is one. It does not change what a model means."""

Precision = Literal["float32", "bfloat16"]
"""Arithmetic of a model. bfloat16 is faster where the processor has it (AVX512-BF16, AMX, GPU) and
slower where it has not; see benchmarks/encode.py for what it costs."""


class Config(BaseModel):
    """Base of every configuration object."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """Validate a mapping; a wrong value is a ConfigError that names the field."""
        try:
            return cls.model_validate(dict(value))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = first["msg"].removeprefix("Value error, ")
            raise ConfigError(message, field=field_path(first["loc"], value)) from None


def field_path(place: tuple[int | str, ...], value: Any) -> str | None:
    """`legs[0].name` from pydantic's ("legs", 0, "name") for an error in `value`.

    The tags of unions, which pydantic puts between, are left out.
    """
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
            value = value[part] if isinstance(value, list | tuple) and part < len(value) else None
        elif isinstance(value, Mapping) and part not in value and value.get("kind") == part:
            continue
        else:
            path += f".{part}"
            value = value.get(part) if isinstance(value, Mapping) else None
    return path.removeprefix(".") or None


class DenseEncoderConfig(Config):
    """A sentence-transformers bi-encoder."""

    kind: Literal["dense"] = "dense"
    model: str = "all-MiniLM-L6-v2"
    revision: str | None = None
    query_prompt: str | None = None
    """Text put before a query; None = what the model itself prescribes, "" = nothing."""
    document_prompt: str | None = None
    """Text put before a passage; likewise."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens read of each text, special tokens included; None = the model's own limit."""
    normalize: bool = True
    precision: Precision = "float32"
    device: Device = "auto"


class SparseEncoderConfig(Config):
    """A learned sparse encoder (SPLADE) through sentence-transformers' SparseEncoder."""

    kind: Literal["sparse"] = "sparse"
    model: str = "splade-tiny"
    revision: str | None = None
    max_length: int | None = Field(default=None, ge=8)
    top_terms: int | None = Field(default=None, ge=1)
    """Keep only the heaviest terms of a document; None = all."""
    query_top_terms: int | None = Field(default=None, ge=1)
    precision: Precision = "float32"
    device: Device = "auto"


class AnalyzerConfig(Config):
    """How text becomes terms: Unicode words, lower case, stopwords out, Snowball stems.

    language: an ISO 639-1 code with a Snowball stemmer ("en", "de", ...), or "none" for words
    only (no stemming and no stopwords).
    stopwords: leave out the language's; None = where there is a list of them.
    """

    kind: Literal["analyzer"] = "analyzer"
    language: str = "en"
    stem: bool = True
    stopwords: bool | None = None


class FlatConfig(Config):
    """Exact search: every vector is compared."""

    kind: Literal["flat"] = "flat"


class HnswConfig(Config):
    """Graph search (Malkov and Yashunin 2018) through FAISS."""

    kind: Literal["hnsw"] = "hnsw"
    neighbors: int = Field(default=32, ge=2, le=256)
    ef_construction: int = Field(default=200, ge=8)
    ef_search: int = Field(default=64, ge=1)
    flat_below: int = Field(default=2_000, ge=0)
    """Segments with fewer passages are searched exactly; a graph gains nothing there."""


VectorIndexConfig = Annotated[FlatConfig | HnswConfig, Field(discriminator="kind")]


class DenseLeg(Config):
    """A leg that ranks by inner product of dense vectors."""

    kind: Literal["dense"] = "dense"
    encoder: DenseEncoderConfig = DenseEncoderConfig()
    index: VectorIndexConfig = FlatConfig()


class SparseLeg(Config):
    """A leg that ranks by the dot product of learned sparse vectors, exactly."""

    kind: Literal["sparse"] = "sparse"
    encoder: SparseEncoderConfig = SparseEncoderConfig()


class LexicalLeg(Config):
    """BM25 with Lucene's formula (Kamphuis et al. 2020, variant "Lucene (accurate)")."""

    kind: Literal["lexical"] = "lexical"
    encoder: AnalyzerConfig = AnalyzerConfig()
    k1: float = Field(default=0.9, ge=0)
    b: float = Field(default=0.4, ge=0, le=1)


LegConfig = Annotated[DenseLeg | SparseLeg | LexicalLeg, Field(discriminator="kind")]


class PassageConfig(Config):
    """How long documents are cut.

    unit:      "words", "sentences" (whole sentences packed up to `size` words) or "none".
    size:      words in a passage.
    overlap:   words shared by neighbours; for sentences, whole sentences up to this many words.
    threshold: documents of at most this many words stay whole.
    """

    unit: Literal["words", "sentences", "none"] = "words"
    size: int = Field(default=200, ge=1)
    overlap: int = Field(default=40, ge=0)
    threshold: int = Field(default=512, ge=0)

    @model_validator(mode="after")
    def _overlap_smaller(self) -> Self:
        if self.overlap >= self.size:
            raise ValueError(f"overlap ({self.overlap}) must be smaller than size ({self.size})")
        return self


class StorageConfig(Config):
    """When the delta becomes a segment and when segments are merged.

    seal_passages: the delta is sealed when it holds this many passages.
    max_segments:  neighbouring segments are merged when there are more than this.
    """

    seal_passages: int = Field(default=5_000, ge=1)
    max_segments: int = Field(default=8, ge=1)


def _default_legs() -> dict[str, LegConfig]:
    return {"dense": DenseLeg(), "sparse": SparseLeg(), "lexical": LexicalLeg()}


class CollectionConfig(Config):
    """Everything that decides what is in a collection. Stored in it when it is created."""

    legs: dict[Annotated[str, Field(pattern=LEG_NAME)], LegConfig] = Field(
        default_factory=_default_legs, min_length=1
    )
    passages: PassageConfig = PassageConfig()
    storage: StorageConfig = StorageConfig()
