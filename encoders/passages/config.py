"""The configuration of passages: how documents are split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ValidationInfo, model_validator

from ...core import Config
from ...core.bounds import STORED, Bounds, Count
from ...core.config import Flag


class PassageConfig(Config):
    """Rules for splitting long documents into passages."""

    unit: Literal["tokens", "words", "sentences", "none"] = "tokens"
    """How documents are split: "tokens" (whole sentences that every encoder reads completely, or
    words if no encoder has a limit), "words" (runs of words), "sentences" (whole sentences,
    measured in words) or "none" (documents are not split)."""
    size: Count | None = None
    """Maximum number of tokens in a passage, or of words if the unit is "words" or "sentences".
    None = 200 words, or as many tokens as every encoder can read, but at most 512."""
    overlap: Annotated[int, Bounds(0, 1_000_000)] = 32
    """Maximum number of tokens or words that a passage repeats from the end of the previous
    passage. Only the unit "words" repeats parts of sentences. For "words" and "sentences", the
    default is 40, not 32."""
    threshold: Annotated[int, Bounds(0, 1_000_000)] = 0
    """A document of at most this many words is not split. For "words" and "sentences", the default
    is 512, not 0. It must be 0 for the unit "tokens", which splits every document that is too long
    for one passage."""
    structure: Flag = False
    """Cut at headings, and keep rows of tables, items of lists and lines of code whole. Short
    sections stay together."""
    headings: Flag = True
    """Let encoders read the headings above a passage, after the title and before the passage."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_stored(cls, value: Any, info: ValidationInfo) -> Any:
        """Set `headings` to False for a stored collection that was created before this option."""
        if info.context == STORED and isinstance(value, Mapping):
            return {"headings": False, **value}
        return value

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
                f"threshold must be 0 for the unit 'tokens', got {self.threshold}: leave it out, "
                "or set the unit to 'words' or 'sentences'"
            )
        if self.size is not None and self.overlap >= self.size:
            raise ValueError(
                f"`overlap` ({self.overlap}) must be smaller than `size` ({self.size})"
            )
        return self
