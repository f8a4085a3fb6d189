"""The configuration of PromptReps encoders."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, model_validator

from ...core.bounds import Bounds, Count
from ...core.config import Device, Flag
from ..config import ENCODERS, EncoderConfig

Variant = Literal[
    "single", "first_word", "multi_token_single", "multi_token_multi", "multi_word_multi"
]
"""The variants of PromptReps. `twindex.encoders.promptreps.encoder` explains them."""

MULTI_VARIANTS = frozenset({"multi_token_multi", "multi_word_multi"})
"""Variants that return several vectors for a text, scored by MaxSim."""


@ENCODERS.register
class PromptRepsEncoderConfig(EncoderConfig):
    """A language model that represents a text by one word (PromptReps, Zhuang et al., EMNLP 2024).

    One pass of the model returns a dense vector (last hidden state) and a sparse vector (next-token
    logits). If a dense leg and a sparse leg have equal configurations, they share this pass.
    """

    made_by = ".encoder:PromptRepsEncoder.load"
    gives = frozenset({"dense", "sparse"})
    flags = {"style": "--prompt-style"}  # noqa: RUF012

    # JSON without a kind means the leg's default encoder.
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["promptreps"] = "promptreps"
    model: str = "SmolLM2-135M-Instruct"
    """Model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the hub's cache; None = the cached one."""
    variant: Variant = "single"
    """Way to represent a text; the multi_* variants return several vectors for a text."""
    style: Literal["chat", "literal"] = "chat"
    """Wording of the prompt: "chat" uses the model's own chat template with line breaks; "literal"
    is the prompt of the paper's published code, with a backslash and an n for each line break."""
    template: Literal["auto", "llama3", "phi3", "mistral", "chatml", "plain"] = "auto"
    """Markup of the conversation; "auto" uses the model's own, "plain" is without markup, for base
    models."""
    language: str = "en"
    """Language of the stopwords, which get no weight; "none" keeps all words."""
    layer: Annotated[int, Bounds(-1_000, -1)] = -1
    """Layer whose hidden state is the dense vector. -1 is the last; -2 is often better in small
    models."""
    center: Flag = False
    """Subtract the vector of an empty text, with the same prompt, from each dense vector."""
    max_length: Annotated[int, Bounds(1, 1_048_576)] = 512
    """Maximum tokens read of each text; the prompt is never truncated."""
    top_terms: Count = 128
    """Number of terms kept of those in the text: those with the largest weights."""
    expansion: Annotated[int, Bounds(0, 1_000_000)] = 0
    """Number of terms added that are not in the text: those with the largest weights."""
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """Number format in which the model computes; "int8" quantises the weights and runs only on
    CPUs."""
    device: Device = "auto"
    """Device that the model runs on; "auto" uses CUDA if it is available."""

    @model_validator(mode="after")
    def _one_center(self) -> Self:
        if self.center and self.variant in MULTI_VARIANTS:
            raise ValueError(
                f"`center` is not supported by the variant {self.variant}, which returns several "
                "vectors: set `center` to false or choose another variant"
            )
        return self

    @property
    def many(self) -> bool:
        """True for variants that return several vectors for a text. See EncoderConfig."""
        return self.variant in MULTI_VARIANTS
