"""How long documents are cut, configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from ...core import Config
from ...core.bounds import Bounds, Count


class PassageConfig(Config):
    """How long documents are cut."""

    unit: Literal["tokens", "words", "sentences", "none"] = "tokens"
    """How long documents are cut into passages: "tokens" (whole sentences, as many as every encoder
    reads; by words where no encoder has a limit), "words" (runs of words), "sentences" (whole
    sentences, counted in words) or "none" (documents stay whole)."""
    size: Count | None = None
    """Most tokens in a passage; "words" and "sentences" count words. None = as many tokens as every
    encoder reads, at most 512, or 200 words."""
    overlap: Annotated[int, Bounds(0, 1_000_000)] = 32
    """Most tokens or words that a passage repeats from the end of the one before it; only "words"
    repeats parts of sentences. With "words" and "sentences" it is 40 unless given."""
    threshold: Annotated[int, Bounds(0, 1_000_000)] = 0
    """With "words" and "sentences", a document of at most this many words is not cut; it is 512
    unless given. With "tokens" it must be 0: a document is cut when it is longer than a passage may
    be."""

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
