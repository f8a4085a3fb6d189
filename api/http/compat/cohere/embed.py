"""Cohere's embeddings."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from ....serving.calls import Calls
from ....serving.embedding import Embedded, EmbedTask
from ....serving.problems import Problem, invalid_field, validate
from ... import body
from ...admission import embedding_deadline
from ...openapi import json_body
from ...render import json_response
from ...strict import StrictRoute
from ..fields import texts_of, unsupported
from ..replies import failures
from ..texts import EMPTY
from .embed_shapes import CohereEmbedBody, CohereEmbedReply, EmbeddingType
from .fields import EMBED
from .shapes import CohereError

router = APIRouter(tags=["compatible"], route_class=StrictRoute)

_EXAMPLE = {
    "model": "fake",
    "input_type": "search_document",
    "texts": ["The kiwi cannot fly."],
    "embedding_types": ["float"],
}


@dataclass(frozen=True, slots=True)
class _Task(EmbedTask):
    """Texts to embed. types: forms of the vectors, each once."""

    types: Sequence[EmbeddingType] = ()


@router.post(
    "/v2/embed",
    responses={200: {"model": CohereEmbedReply}, **failures(CohereError)},
    openapi_extra=json_body(CohereEmbedBody, _EXAMPLE),
)
async def embed_texts(request: Request) -> Response:
    """Return dense vectors of texts, in the form of Cohere's embeddings.

    Only encoders of open collections are used; a request never loads a model.
    """
    raw = await body.read(request)
    calls: Calls = request.state.calls

    def read() -> _Task:
        parsed = validate(CohereEmbedBody, EMBED.supported(body.parse_object(raw)))
        field, texts = _texts(parsed)
        return _Task(
            parsed.model,
            texts,
            role="query" if parsed.input_type == "search_query" else "document",
            dimensions=parsed.output_dimension,
            truncate=parsed.truncate == "END",
            field=field,
            dimensions_field="output_dimension",
            cutting='`truncate` to "END"',
            types=list(dict.fromkeys(parsed.embedding_types or ["float"])),
        )

    def reply(task: _Task, found: Embedded) -> Response:
        return json_response(
            {
                "id": request.state.request_id,
                "response_type": "embeddings_by_type",
                "embeddings": {kind: encoded(found.dense, kind) for kind in task.types},
                "texts": task.texts,
                "meta": {
                    "api_version": {"version": "2"},
                    "billed_units": {"input_tokens": sum(found.tokens)},
                },
            }
        )

    return await calls.embed(read, embedding_deadline(request), reply)


def _texts(parsed: CohereEmbedBody) -> tuple[str, list[str]]:
    """Return (name of the field with the texts, texts)."""
    if (parsed.texts is None) == (parsed.inputs is None):
        message = "send either `texts` or `inputs`"
        raise Problem(422, message, errors=[{"field": "texts", "message": message}])
    if parsed.texts is not None:
        return "texts", parsed.texts
    given = parsed.inputs or []
    for i, one in enumerate(given):
        for name in sorted({*one} - {"content"}):
            raise unsupported(f"inputs[{i}].{name}", "unknown field; only `content` is read")
    texts = []
    for i, one in enumerate(given):
        texts.append(texts_of(one.get("content"), f"inputs[{i}].content"))
        if not texts[-1].strip():
            raise invalid_field(f"inputs[{i}].content", EMPTY)
    return "inputs", texts


def encoded(dense: NDArray[np.float32], kind: EmbeddingType) -> list[Any]:
    """Return vectors in one of Cohere's forms; see `CohereEmbedBody`. dense: float32 [n, d]."""
    if kind == "float":
        return list(dense)
    if kind == "base64":
        return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in dense]
    if kind in ("int8", "uint8"):
        largest = np.abs(dense).max(axis=1, keepdims=True, initial=0.0)
        largest[largest == 0] = 1.0
        scaled = np.rint(dense / largest * 127).astype(np.int16)
        return list(scaled.astype(np.int8) if kind == "int8" else (scaled + 128).astype(np.uint8))
    bits = np.packbits(dense > 0, axis=1)
    return list(bits if kind == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8))
