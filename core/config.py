"""Configuration objects: one vocabulary for Python, TOML, the command line and REST.

They are frozen pydantic models that refuse unknown fields, so that an option is never silently
ignored. Defaults are those of the papers named beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from .bounds import Bounds, Count, Share, Tokens
from .config_base import Config
from .vector_config import SCALAR_CODECS, FlatConfig, ScalarCodec, VectorStorage

LEG_NAME = r"^[a-z][a-z0-9_]{0,31}$"

Device = Literal["auto", "cpu", "cuda"]
"""Where a model runs; "auto" is CUDA where there is one. It does not change what a model means."""

Precision = Literal["float32", "bfloat16"]
"""Arithmetic of a model. bfloat16 is faster where the processor has it (AVX512-BF16, AMX, GPU) and
slower where it has not; see benchmarks/encode.py for what it costs."""


class DenseEncoderConfig(Config):
    """A sentence-transformers bi-encoder."""

    kind: Literal["dense"] = "dense"
    model: str = "all-MiniLM-L6-v2"
    revision: str | None = None
    query_prompt: str | None = None
    """Text put before a query; None = what the model itself prescribes, "" = nothing."""
    document_prompt: str | None = None
    """Text put before a passage; likewise."""
    max_length: Tokens | None = None
    """Tokens read of each text, special tokens included; None = the model's own limit."""
    normalize: bool = True
    precision: Precision = "float32"
    device: Device = "auto"


class SparseEncoderConfig(Config):
    """A learned sparse encoder (SPLADE) through sentence-transformers' SparseEncoder."""

    kind: Literal["sparse"] = "sparse"
    model: str = "splade-tiny"
    revision: str | None = None
    max_length: Tokens | None = None
    top_terms: Count | None = None
    """Keep only the heaviest terms of a document; None = all."""
    query_top_terms: Count | None = None
    precision: Precision = "float32"
    device: Device = "auto"


Variant = Literal[
    "single", "first_word", "multi_token_single", "multi_token_multi", "multi_word_multi"
]
"""How PromptReps reads a text, see `twindex.encoders.promptreps.encoder`."""

MULTI_VARIANTS = frozenset({"multi_token_multi", "multi_word_multi"})
"""Variants that give a text several vectors, scored by MaxSim."""


class PromptRepsEncoderConfig(Config):
    """A language model asked for a text in one word (PromptReps, Zhuang et al., EMNLP 2024).

    One pass gives a dense vector (last hidden state) and a sparse one (next-token logits), so legs
    of both kinds with equal configuration share it.
    """

    # Where it may be left out of JSON, it means the usual encoder of the leg.
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["promptreps"] = "promptreps"
    model: str = "SmolLM2-135M-Instruct"
    revision: str | None = None
    variant: Variant = "single"
    style: Literal["chat", "literal"] = "chat"
    """Wording of the prompt: "chat" is the model's own chat template with line breaks; "literal" is
    that of the paper's published code, where each line break is a backslash and an n."""
    template: Literal["auto", "llama3", "phi3", "mistral", "chatml", "plain"] = "auto"
    """Markup of the conversation; "auto" is the model's own, "plain" is none, for base models."""
    language: str = "en"
    """Of the stopwords that get no weight; "none" keeps all words."""
    layer: Annotated[int, Bounds(-1_000, -1)] = -1
    """Whose state is the dense vector: -1 is the last; in small models -2 is often better."""
    center: bool = False
    """Subtract from the dense vector that of the same prompt around no text, which all share."""
    max_length: Annotated[int, Bounds(1, 1_048_576)] = 512
    """Tokens read of each text; the prompt around it is never cut."""
    top_terms: Count = 128
    """Heaviest terms kept of a text, among its own words."""
    expansion: Annotated[int, Bounds(0, 1_000_000)] = 0
    """Heaviest terms added from outside the text."""
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """Arithmetic; "int8" quantises the weights and runs on processors only."""
    device: Device = "auto"

    @model_validator(mode="after")
    def _one_center(self) -> Self:
        if self.center and self.variant in MULTI_VARIANTS:
            raise ValueError(f"center: the variant {self.variant} has no one vector of no text")
        return self


class LateEncoderConfig(Config):
    """A vector for each token of a text (late interaction), see `twindex.encoders.late.encoder`."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["late"] = "late"
    model: str = "all-MiniLM-L6-v2"
    revision: str | None = None
    query_prompt: str | None = None
    """Text put before a query; None = what the model itself prescribes, "" = nothing."""
    document_prompt: str | None = None
    """Text put before a passage; likewise."""
    query_length: Annotated[int, Bounds(4, 1_048_576)] | None = None
    """Tokens read of a query, special tokens included; None = the model's own limit. Where the
    model fills queries up with masks, also how far."""
    document_length: Tokens | None = None
    """Tokens read of a passage; likewise."""
    pooling: Annotated[float, Bounds(1, 16)] = 1.0
    """Tokens of a passage for each vector that is kept: neighbours in direction are merged."""
    precision: Precision = "float32"
    device: Device = "auto"


class TildeEncoderConfig(Config):
    """Weights of a text's own tokens, and queries without a model (TILDEv2), see
    `twindex.encoders.tilde.encoder`."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["tilde"] = "tilde"
    model: str = "splade-tiny"
    revision: str | None = None
    max_length: Tokens | None = None
    """Tokens read of a passage, special tokens included; None = the model's own limit."""
    expansion: Annotated[int, Bounds(0, 1_000)] = 0
    """Likeliest tokens of which those that are not in the passage are added to it, before it is
    weighed; the paper has 200. 0 = none."""
    expansion_model: str | None = None
    """Whose language-model head says what is likely; None = that of `model`."""
    expansion_reading: Literal["auto", "first", "max"] = "auto"
    """Where the head is read: at the first position (TILDE), or the greatest of all (SPLADE).
    "auto" is the first where an `expansion_model` is named, else the greatest."""
    language: str = "en"
    """Of the stopwords that get no weight; "none" keeps all words."""
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


LegRole = Literal["search", "rerank"]
"""What a leg is for: "search" runs in every search that names no legs; "rerank" is stored for
rerankers that order by its scores, and runs only where it is named."""


def _kind_or(default: str, *others: str) -> Discriminator:
    """Tell encoders by `kind`, which may be left out for the usual one."""

    def kind(value: Any) -> str | None:
        if isinstance(value, Mapping):
            return str(value.get("kind", default))
        return getattr(value, "kind", None)

    able = [f'"{one}"' for one in (default, *others)]
    return Discriminator(
        kind,
        custom_error_type="encoder_kind",
        custom_error_message="must be an object whose kind is "
        + f"{', '.join(able[:-1])} or {able[-1]}",
    )


PromptReps = Annotated[PromptRepsEncoderConfig, Tag("promptreps")]
Late = Annotated[LateEncoderConfig, Tag("late")]
Tilde = Annotated[TildeEncoderConfig, Tag("tilde")]


class DenseLeg(VectorStorage):
    """A leg that ranks by inner product of dense vectors, or MaxSim where a text has several."""

    kind: Literal["dense"] = "dense"
    role: LegRole = "search"
    encoder: Annotated[
        Annotated[DenseEncoderConfig, Tag("dense")] | PromptReps | Late,
        _kind_or("dense", "promptreps", "late"),
    ] = DenseEncoderConfig()

    @property
    def multi(self) -> bool:
        """A text may have several vectors."""
        return _is_multi(self.encoder)

    @property
    def kept(self) -> Literal["float32", "float16", "none"]:
        """See VectorStorage. Of several vectors the codes are all there is: none is rescored."""
        coded = self.multi and not self.lossless and self.held_codec.kind in SCALAR_CODECS
        return "none" if coded and self.originals == "auto" else super().kept

    @property
    def storage_fields(self) -> dict[str, Any]:
        """See VectorStorage."""
        return {**super().storage_fields, **({"originals": self.kept} if self.multi else {})}

    @model_validator(mode="before")
    @classmethod
    def _tokens_are_many(cls, value: Any) -> Any:
        """The vectors of all tokens, as float32, are 50 to 100 times the text. With 4 bits a
        dimension nDCG@10 of reranked lists stays the same (docs/reranking.md)."""
        if isinstance(value, Mapping) and value.get("codec") is None:
            encoder = value.get("encoder")
            kind = encoder.get("kind") if isinstance(encoder, Mapping) else encoder
            if kind == "late" or isinstance(kind, LateEncoderConfig):
                return {**value, "codec": ScalarCodec(kind="int4")}
        return value

    @model_validator(mode="after")
    def _multi_is_flat(self) -> Self:
        if not self.multi:
            return self
        if not isinstance(self.index, FlatConfig):
            raise ValueError("texts with several vectors are compared one by one: index flat")
        if self.held_codec.kind not in SCALAR_CODECS:
            raise ValueError(
                f"the codec {self.held_codec.kind} is not for texts with several vectors; "
                f"these are: {', '.join(SCALAR_CODECS)}"
            )
        if self.kept != ("float32" if self.lossless else "none"):
            raise ValueError(
                "originals: of texts with several vectors only the codes are kept, and none is "
                'rescored: leave originals out, and choose the codec ("float16", for example)'
            )
        return self


class SparseLeg(Config):
    """A leg that ranks by the dot product of sparse vectors, exactly; MaxSim where a text has
    several."""

    kind: Literal["sparse"] = "sparse"
    role: LegRole = "search"
    encoder: Annotated[
        Annotated[SparseEncoderConfig, Tag("sparse")] | PromptReps | Tilde,
        _kind_or("sparse", "promptreps", "tilde"),
    ] = SparseEncoderConfig()

    @property
    def multi(self) -> bool:
        """A text may have several vectors."""
        return _is_multi(self.encoder)


def _is_multi(encoder: Config) -> bool:
    if isinstance(encoder, PromptRepsEncoderConfig):
        return encoder.variant in MULTI_VARIANTS
    return isinstance(encoder, LateEncoderConfig)


class LexicalLeg(Config):
    """BM25 with Lucene's formula (Kamphuis et al. 2020, variant "Lucene (accurate)")."""

    kind: Literal["lexical"] = "lexical"
    role: LegRole = "search"
    encoder: AnalyzerConfig = AnalyzerConfig()
    k1: Annotated[float, Bounds(0, 1_000)] = 0.9
    b: Share = 0.4


LegConfig = Annotated[DenseLeg | SparseLeg | LexicalLeg, Field(discriminator="kind")]


class PassageConfig(Config):
    """How long documents are cut.

    unit:      "tokens" (whole sentences packed up to what the encoder with the lowest limit reads;
               by words where no encoder has a limit), "words", "sentences" (whole sentences packed
               up to `size` words) or "none".
    size:      tokens of the text alone; None = all that the encoder reads, at most 512. Or words in
               a passage; default 200.
    overlap:   tokens (or words) shared by neighbours; for tokens and sentences, whole sentences up
               to this many. Default 32; 40 for words and sentences.
    threshold: documents of at most this many words stay whole; default 512. For tokens it is 0: a
               document stays whole exactly if it has at most `size` and every encoder reads all.
    """

    unit: Literal["tokens", "words", "sentences", "none"] = "tokens"
    size: Count | None = None
    overlap: Annotated[int, Bounds(0, 1_000_000)] = 32
    threshold: Annotated[int, Bounds(0, 1_000_000)] = 0

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_words(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or value.get("unit") in (None, "tokens"):
            return value
        given = {name: item for name, item in value.items() if item is not None}
        return {"size": 200, "overlap": 40, "threshold": 512, **given}

    @model_validator(mode="after")
    def _overlap_smaller(self) -> Self:
        if self.unit == "tokens" and self.threshold:
            raise ValueError(
                f"threshold must be 0 for the unit 'tokens', got {self.threshold}: a document "
                "stays whole if the encoder reads all of it. Give a unit: 'words' or 'sentences'"
            )
        if self.size is not None and self.overlap >= self.size:
            raise ValueError(f"overlap ({self.overlap}) must be smaller than size ({self.size})")
        return self


class StorageConfig(Config):
    """When the delta becomes a segment and when segments are merged.

    seal_passages: the delta is sealed when it holds this many passages; a fifth of them where a leg
                   has a vector for each token, as the delta is held in memory and not yet coded.
    max_segments:  neighbouring segments are merged when there are more than this.
    """

    seal_passages: Count = 5_000
    max_segments: Annotated[int, Bounds(1, 1_000)] = 8


def _default_legs() -> dict[str, LegConfig]:
    return {"dense": DenseLeg(), "sparse": SparseLeg(), "lexical": LexicalLeg()}


class CollectionConfig(Config):
    """Everything that decides what is in a collection. Stored in it when it is created."""

    legs: dict[Annotated[str, Field(pattern=LEG_NAME)], LegConfig] = Field(
        default_factory=_default_legs, min_length=1
    )
    passages: PassageConfig = PassageConfig()
    storage: StorageConfig = StorageConfig()

    @property
    def sealed_at(self) -> int:
        """Passages at which the delta is sealed; see StorageConfig."""
        late = any(isinstance(leg.encoder, LateEncoderConfig) for leg in self.legs.values())
        return max(1, self.storage.seal_passages // (5 if late else 1))

    @model_validator(mode="after")
    def _searchable(self) -> Self:
        if all(leg.role == "rerank" for leg in self.legs.values()):
            raise ValueError('legs: at least one must have role "search": the others only rerank')
        return self
