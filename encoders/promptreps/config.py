"""PromptReps, configured."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, model_validator

from ...core.bounds import Bounds, Count
from ...core.config import Device
from ..config import ENCODERS, EncoderConfig

Variant = Literal[
    "single", "first_word", "multi_token_single", "multi_token_multi", "multi_word_multi"
]
"""How PromptReps reads a text, see `twindex.encoders.promptreps.encoder`."""

MULTI_VARIANTS = frozenset({"multi_token_multi", "multi_word_multi"})
"""Variants that give a text several vectors, scored by MaxSim."""


@ENCODERS.register
class PromptRepsEncoderConfig(EncoderConfig):
    """A language model asked for a text in one word (PromptReps, Zhuang et al., EMNLP 2024).

    One pass gives a dense vector (last hidden state) and a sparse one (next-token logits), so legs
    of both kinds with equal configuration share it.
    """

    made_by = ".encoder:PromptRepsEncoder.load"
    gives = frozenset({"dense", "sparse"})
    flags = {"style": "--prompt-style"}  # noqa: RUF012

    # Where it may be left out of JSON, it means the usual encoder of the leg.
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["promptreps"] = "promptreps"
    model: str = "SmolLM2-135M-Instruct"
    """Its model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the cache of the hub; None = the one that is there."""
    variant: Variant = "single"
    """How a text is read; multi_* give it several vectors."""
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
    """Where the model runs; "auto" is CUDA where there is one."""

    @model_validator(mode="after")
    def _one_center(self) -> Self:
        if self.center and self.variant in MULTI_VARIANTS:
            raise ValueError(f"center: the variant {self.variant} has no one vector of no text")
        return self

    @property
    def many(self) -> bool:
        """See EncoderConfig."""
        return self.variant in MULTI_VARIANTS
