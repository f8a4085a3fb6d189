"""What all shapes of replies have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A reply; tests refuse fields that are not declared."""

    model_config = ConfigDict(extra="forbid")


class LanguageModelUsage(Shape):
    """What language models did: prompts read (`calls`), tokens in them and how many of these were
    computed before, tokens generated, texts whose result was remembered (`cache_hits`), seconds."""

    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cache_hits: int
    seconds: float
