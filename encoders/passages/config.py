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
    """How long documents are cut: "tokens" (whole sentences, as many as every encoder reads; by
    words where no encoder has a limit), "words", "sentences" (whole sentences up to `size` words)
    or "none"."""
    size: Count | None = None
    """Tokens (or words) in a passage; None = all that the encoders read, at most 512; 200 words."""
    overlap: Annotated[int, Bounds(0, 1_000_000)] = 32
    """Tokens (or words) shared by neighbours, 40 for words and sentences; for tokens and sentences,
    whole sentences up to this many."""
    threshold: Annotated[int, Bounds(0, 1_000_000)] = 0
    """With words or sentences, documents of at most this many words stay whole, 512 if nothing is
    said. With tokens it is 0: a document stays whole if it has at most `size` and every encoder
    reads all."""

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
