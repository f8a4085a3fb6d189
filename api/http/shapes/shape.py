"""The base of all models of replies."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A reply, or a part of one. Undeclared fields are errors, which tests check."""

    model_config = ConfigDict(extra="forbid")


class LanguageModelUsage(Shape):
    """The work of language models for a request.

    calls:             prompts read.
    prompt_tokens:     tokens in these prompts.
    cached_tokens:     prompt tokens whose keys and values were reused.
    completion_tokens: tokens generated.
    cache_hits:        texts whose result came from the cache, without a call.
    seconds:           time spent in language models.
    """

    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cache_hits: int
    seconds: float
