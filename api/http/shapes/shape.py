"""The base class of all Pydantic models of replies."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Base class of replies and their parts. Tests check that replies have no other fields."""

    model_config = ConfigDict(extra="forbid")


class LanguageModelUsage(Shape):
    """The calls, tokens and time of language models for a request.

    calls:             number of prompts that the models read.
    prompt_tokens:     number of tokens in these prompts.
    cached_tokens:     number of prompt tokens whose keys and values were reused.
    completion_tokens: number of tokens that the models generated.
    cache_hits:        number of texts whose result came from the cache, without a call.
    seconds:           time spent in language models, in seconds.
    """

    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cache_hits: int
    seconds: float
