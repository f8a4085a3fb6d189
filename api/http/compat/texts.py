"""Fields of requests for embeddings: one text or a list of texts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from ....core.errors import shown

EMPTY = "must not be empty: a text without words has no vector"

MOST_TEXTS = 2_048
"""Maximum number of texts in a request for embeddings."""


def _texts(value: object) -> object:
    """Return a list of texts. Raises ValueError for tokens, which encoders do not read.

    Raises ValueError for a text without characters other than spaces too. OpenAI and
    text-embeddings-inference refuse an empty text.
    """
    if isinstance(value, str):
        return [_not_empty(value)]
    if not isinstance(value, list):
        raise ValueError(f"must be a string or a list of strings, got {shown(value)}")
    first: Any = value[0] if value else ""
    inner: Any = first[0] if isinstance(first, list) and first else first
    if isinstance(inner, int) and not isinstance(inner, bool):
        raise ValueError(
            "tokens are not supported, because each encoder has its own tokenizer; send texts"
        )
    return value


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError(EMPTY)
    return value


TextToEmbed = Annotated[str, AfterValidator(_not_empty)]
"""A text that does not consist of spaces only."""

Texts = Annotated[
    list[TextToEmbed],
    Field(min_length=1, max_length=MOST_TEXTS),
    BeforeValidator(_texts, json_schema_input_type=str | list[str]),
]
"""Up to 2,048 texts. A string stands for a list with one text."""
