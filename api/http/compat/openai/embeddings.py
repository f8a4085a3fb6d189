"""OpenAI's embeddings, and sparse embeddings in the same form."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from .....core import Config
from .....core.bounds import Bounds
from .....core.config import Flag
from ....serving.calls import Calls
from ....serving.embedding import Embedded, EmbedTask
from ....serving.problems import validate
from ... import body
from ...admission import embedding_deadline
from ...openapi import json_body
from ...render import json_response
from ...shapes.failures import OpenAIErrorReply
from ...shapes.shape import Shape
from ...strict import StrictRoute
from ..replies import failures
from ..texts import Texts
from .fields import EMBEDDINGS

router = APIRouter(tags=["compatible"], route_class=StrictRoute)

_EXAMPLE = {"model": "fake", "input": ["The kiwi cannot fly."], "input_type": "document"}


class _TextsBody(Config):
    """Fields of requests for dense and for sparse embeddings.

    model:      name of an encoder of an open collection, as in `GET /v1/models`, or the name of a
                leg as `COLLECTION/LEG`.
    input:      a text, or up to 2,048 texts. Tokens and empty texts are refused.
    input_type: "document" or "query": encoders may have a prompt for each.
    truncate:   what happens to a text that is longer than the encoder reads. "none": the request
                fails. "end": the end of the text is not read.
    """

    model: str
    input: Texts
    input_type: Literal["document", "query"] = "document"
    truncate: Literal["none", "end"] = "none"


class EmbeddingsBody(_TextsBody):
    """Texts for which a dense encoder returns vectors.

    encoding_format: "float": lists of numbers. "base64": the bytes of little-endian float32.
    dimensions: number of dimensions that are kept, from the first; vectors are then scaled to
                length 1. Only for encoders of a leg with the projection "matryoshka".
    """

    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Bounds(1, 1_000_000)] | None = None


class SparseEmbeddingsBody(_TextsBody):
    """Texts for which a learned sparse encoder returns weights of terms.

    include_tokens: also return the name of each term.
    """

    include_tokens: Flag = False


class EmbeddingUsage(Shape):
    """Number of tokens.

    prompt_tokens: number of tokens that the encoder read; of words, if it has no tokenizer.
    total_tokens:  the same number.
    """

    prompt_tokens: int
    total_tokens: int


class EmbeddingItem(Shape):
    """The vector of a text.

    object:    always "embedding".
    index:     position of the text in the request, from 0.
    embedding: the vector, as numbers or in base64.
    """

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsReply(Shape):
    """The vectors of the texts, in their order.

    object: always "list".
    data:   the vectors.
    model:  the model of the request.
    usage:  number of tokens.
    """

    object: Literal["list"]
    data: list[EmbeddingItem]
    model: str
    usage: EmbeddingUsage


class SparseEmbeddingItem(Shape):
    """The weights of the terms of a text.

    object:  always "sparse_embedding".
    index:   position of the text in the request, from 0.
    indices: the terms, as ascending positions in the vocabulary of the encoder.
    values:  weight of each term, above 0.
    tokens:  name of each term; only with `include_tokens`.
    """

    object: Literal["sparse_embedding"]
    index: int
    indices: list[int]
    values: list[float]
    tokens: list[str] | None = Field(default=None)


class SparseEmbeddingsReply(Shape):
    """The weights of the texts, in their order.

    object: always "list".
    data:   the weights.
    model:  the model of the request.
    usage:  number of tokens.
    """

    object: Literal["list"]
    data: list[SparseEmbeddingItem]
    model: str
    usage: EmbeddingUsage


@dataclass(frozen=True, slots=True)
class _DenseTask(EmbedTask):
    """Texts to embed. base64: True: each vector is a string, its float32 values in base64."""

    base64: bool = False


@dataclass(frozen=True, slots=True)
class _SparseTask(EmbedTask):
    """Texts to embed. tokens: True: the reply names the terms."""

    tokens: bool = False


@router.post(
    "/v1/embeddings",
    responses={200: {"model": EmbeddingsReply}, **failures(OpenAIErrorReply)},
    openapi_extra=json_body(EmbeddingsBody, _EXAMPLE),
)
async def create_embeddings(request: Request) -> Response:
    """Return dense vectors of texts, in the form of OpenAI's embeddings.

    Only encoders of open collections are used; a request never loads a model.
    """
    raw = await body.read(request)
    calls: Calls = request.state.calls

    def read() -> _DenseTask:
        parsed = validate(EmbeddingsBody, EMBEDDINGS.supported(body.parse_object(raw)))
        return _DenseTask(
            parsed.model,
            parsed.input,
            role=parsed.input_type,
            dimensions=parsed.dimensions,
            truncate=parsed.truncate == "end",
            base64=parsed.encoding_format == "base64",
        )

    def reply(task: _DenseTask, found: Embedded) -> Response:
        rows: list[Any] = list(found.dense)
        if task.base64:
            rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in found.dense]
        data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
        return _reply(task, found, data)

    return await calls.embed(read, embedding_deadline(request), reply)


@router.post(
    "/v1/sparse_embeddings",
    responses={200: {"model": SparseEmbeddingsReply}, **failures(OpenAIErrorReply)},
    openapi_extra=json_body(SparseEmbeddingsBody, _EXAMPLE),
)
async def create_sparse_embeddings(request: Request) -> Response:
    """Return sparse vectors of texts: terms of a vocabulary, and their weights.

    Only encoders of open collections are used; a request never loads a model.
    """
    raw = await body.read(request)
    calls: Calls = request.state.calls

    def read() -> _SparseTask:
        parsed = validate(SparseEmbeddingsBody, EMBEDDINGS.supported(body.parse_object(raw)))
        return _SparseTask(
            parsed.model,
            parsed.input,
            "sparse",
            parsed.input_type,
            truncate=parsed.truncate == "end",
            tokens=parsed.include_tokens,
        )

    def reply(task: _SparseTask, found: Embedded) -> Response:
        data = []
        for i, (indices, values) in enumerate(found.sparse_vectors()):
            item = {"object": "sparse_embedding", "index": i, "indices": indices, "values": values}
            if task.tokens:
                item["tokens"] = [found.encoder.term(int(index)) for index in indices]
            data.append(item)
        return _reply(task, found, data)

    return await calls.embed(read, embedding_deadline(request), reply)


def _reply(task: EmbedTask, found: Embedded, data: list[dict[str, Any]]) -> Response:
    tokens = sum(found.tokens)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_response({"object": "list", "data": data, "model": task.model, "usage": usage})
