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
    """Longest passage, counted in tokens, or in words for "words" and "sentences"; None = as many
    tokens as every encoder reads, at most 512, or 200 words."""
    overlap: Annotated[int, Bounds(0, 1_000_000)] = 32
    """A passage repeats up to so many tokens or words from the end of the one before it; "tokens"
    and "sentences" repeat whole sentences only. For "words" and "sentences" it is 40 unless
    given."""
    threshold: Annotated[int, Bounds(0, 1_000_000)] = 0
    """Documents of at most so many words are not cut, for "words" and "sentences", where it is 512
    unless given. For "tokens" it must be 0: there a document is cut when it is longer than a
    passage may be."""

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
