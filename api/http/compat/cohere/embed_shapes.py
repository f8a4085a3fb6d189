"""Shapes of Cohere's embeddings: requests and replies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .....core import Config
from .....core.bounds import Bounds
from ...shapes.shape import Shape
from ..texts import MOST_TEXTS, TextToEmbed

EmbeddingType = Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]


def _input_type(value: object) -> object:
    if value in ("classification", "clustering", "image"):
        raise ValueError(
            f"{value!r} is not supported: encoders read queries and documents; use search_query or "
            "search_document"
        )
    return value


def _truncate(value: object) -> object:
    if value == "START":
        raise ValueError('"START" is not supported: encoders read the start; use END or NONE')
    return value


class CohereEmbedBody(Config):
    """Texts for which a dense encoder returns vectors.

    model:      name of an encoder of an open collection, as in `GET /v1/models`, or the name of a
                leg as `COLLECTION/LEG`.
    input_type: "search_document" or "search_query".
    texts:      up to 2,048 texts. An empty text is refused.
    inputs:     instead of `texts`: objects whose `content` is a list of parts with the type "text".
    embedding_types: forms of the vectors; by default "float". "int8": each vector is scaled so that
                its largest absolute value is 127. "uint8": the same plus 128. "ubinary": one bit
                for each dimension, 1 if it is above 0, eight in a byte. "binary": the same less
                128. "base64": the bytes of little-endian float32.
    output_dimension: number of dimensions that are kept; see `dimensions` of OpenAI's embeddings.
    truncate:   "END": the end of a text that is too long is not read. "NONE": the request fails.
    """

    model: str
    input_type: Annotated[Literal["search_document", "search_query"], BeforeValidator(_input_type)]
    texts: list[TextToEmbed] | None = Field(default=None, min_length=1, max_length=MOST_TEXTS)
    inputs: list[dict[str, Any]] | None = Field(default=None, min_length=1, max_length=MOST_TEXTS)
    embedding_types: list[EmbeddingType] | None = Field(default=None, min_length=1)
    output_dimension: Annotated[int, Bounds(1, 1_000_000)] | None = None
    truncate: Annotated[Literal["NONE", "END"], BeforeValidator(_truncate)] = "END"


Vectors = list[list[float]]
"""Vectors of numbers. The field `float` hides the type of this name inside its class."""


class CohereEmbeddings(Shape):
    """The vectors of the texts, in each form that was requested.

    float:   numbers.
    int8, uint8: whole numbers.
    binary, ubinary: whole numbers, each with the bits of eight dimensions.
    base64:  texts.
    """

    float: Vectors | None = None
    int8: list[list[int]] | None = None
    uint8: list[list[int]] | None = None
    binary: list[list[int]] | None = None
    ubinary: list[list[int]] | None = None
    base64: list[str] | None = None


class CohereEmbedReply(Shape):
    """The vectors of the texts.

    id:            id of the request.
    response_type: always "embeddings_by_type".
    embeddings:    form -> vectors, in the order of the texts.
    texts:         the texts.
    meta:          metadata that clients of Cohere expect. Nothing is billed.
    """

    id: str
    response_type: Literal["embeddings_by_type"]
    embeddings: CohereEmbeddings
    texts: list[str]
    meta: dict[str, Any]
