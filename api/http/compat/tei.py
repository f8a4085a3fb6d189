"""Endpoints of text-embeddings-inference (TEI): embeddings and reranking without a model name.

A TEI server has one model. Here, `model` names it; it may be left out if there is only one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import Field, RootModel
from starlette.requests import Request
from starlette.responses import Response

from ....core import Config
from ....core.bounds import Bounds
from ....core.config import Flag
from ....rerank import Reranked
from ...serving.access.seen import Seen
from ...serving.calls import Calls
from ...serving.embedding import Embedded, EmbedTask, Part, distinct_names, served_encoders
from ...serving.problems import invalid_field, validate
from .. import body
from ..admission import embedding_deadline
from ..openapi import json_body
from ..render import json_response
from ..shapes.failures import TeiErrorType
from ..shapes.reranking import MOST_DOCUMENTS, RerankBody
from ..shapes.schemas import FieldError
from ..shapes.shape import Shape
from ..strict import StrictRoute
from .fields import Fields, Refused, unsupported
from .replies import failures
from .texts import Texts

router = APIRouter(tags=["compatible"], route_class=StrictRoute)

EMBED = Fields(
    refused={
        "truncation_direction": Refused(
            "encoders read the start of a text; remove this field", ("Right", "right")
        ),
        "output_value": Refused("only vectors of whole texts are returned; remove this field"),
    },
    ignored={},
)
"""Fields of `POST /embed` and `POST /embed_sparse`."""

RERANK = Fields(
    refused={
        "raw_scores": Refused("scores are those of the reranker; remove this field", (False,)),
        "truncation_direction": Refused(
            "rerankers read the start of a text; remove this field", ("Right", "right")
        ),
    },
    ignored={"truncate": "the configuration of a reranker sets how much it reads"},
)
"""Fields of `POST /rerank` with `texts`."""

RERANK_EXAMPLE = {
    "query": "birds that cannot fly",
    "texts": ["Swifts fly while they sleep.", "The kiwi is a bird that cannot fly."],
    "model": "fast",
}
_EXAMPLE = {"inputs": ["The kiwi cannot fly."], "model": "fake"}


class TeiError(Shape):
    """The reply to a request that failed.

    error:      what went wrong, in words.
    error_type: "Validation", "Overloaded", "Unhealthy" or "Backend".
    code:       kind of error, a stable word that programs can test.
    request_id: id of the request, which logs contain too.
    errors:     the invalid fields of the request.
    """

    error: str
    error_type: TeiErrorType
    code: str
    request_id: str
    errors: list[FieldError]


class TeiSparseBody(Config):
    """Texts for which a learned sparse encoder returns weights.

    inputs:      a text, or up to 2,048 texts. An empty text is refused.
    truncate:    true: the end of a text that is too long is not read. false: the request fails.
    prompt_name: "document" or "query".
    model:       name of an encoder of an open collection; may be left out if there is only one.
    """

    inputs: Texts
    truncate: Flag | None = None
    prompt_name: Literal["query", "document"] | None = None
    model: str | None = None


class TeiEmbedBody(TeiSparseBody):
    """Texts for which a dense encoder returns vectors.

    normalize:  true: scale vectors to length 1. false: return the vectors of the encoder.
    dimensions: number of dimensions that are kept; see `dimensions` of OpenAI's embeddings.
    """

    normalize: Flag = True
    dimensions: Annotated[int, Bounds(1, 1_000_000)] | None = None


class TeiVectors(RootModel[list[list[float]]]):
    """The vectors of the texts, in their order."""


class TeiWeight(Shape):
    """The weight of a term.

    index: position of the term in the vocabulary of the encoder.
    value: weight, above 0.
    """

    index: int
    value: float


class TeiWeights(RootModel[list[list[TeiWeight]]]):
    """The weights of the texts, in their order."""


class TeiRerankBody(Config):
    """Texts to rerank, as clients of TEI send them.

    query:       query by which the texts are ranked.
    texts:       the texts.
    return_text: include the texts in the results.
    model:       name of a configured reranker; may be left out if there is only one.
    """

    query: str
    texts: list[str] = Field(min_length=1, max_length=MOST_DOCUMENTS)
    return_text: Flag = False
    model: str | None = None


@router.post(
    "/embed",
    responses={200: {"model": TeiVectors}, **failures(TeiError)},
    openapi_extra=json_body(TeiEmbedBody, _EXAMPLE),
)
async def embed_inputs(request: Request) -> Response:
    """Return dense vectors of texts, in the form of text-embeddings-inference."""
    raw = await body.read(request)
    calls: Calls = request.state.calls

    def read() -> _Task:
        parsed = validate(TeiEmbedBody, EMBED.supported(body.parse_object(raw)))
        return _task(calls, parsed, "dense", parsed.dimensions, parsed.normalize)

    def reply(task: _Task, found: Embedded) -> Response:
        dense = found.dense
        if task.normalize:
            lengths = np.linalg.norm(dense, axis=1, keepdims=True)
            lengths[lengths == 0] = 1.0
            dense = (dense / lengths).astype(np.float32)
        elif getattr(getattr(found.encoder, "config", None), "normalize", False):
            raise unsupported("normalize", "this encoder always scales vectors to length 1")
        return json_response(dense)

    return await calls.embed(read, embedding_deadline(request), reply)


@router.post(
    "/embed_sparse",
    responses={200: {"model": TeiWeights}, **failures(TeiError)},
    openapi_extra=json_body(TeiSparseBody, _EXAMPLE),
)
async def embed_sparse_inputs(request: Request) -> Response:
    """Return sparse vectors of texts, in the form of text-embeddings-inference."""
    raw = await body.read(request)
    calls: Calls = request.state.calls

    def read() -> _Task:
        parsed = validate(TeiSparseBody, EMBED.supported(body.parse_object(raw)))
        return _task(calls, parsed, "sparse")

    def reply(task: _Task, found: Embedded) -> Response:
        return json_response(
            [
                [
                    {"index": index, "value": value}
                    for index, value in zip(indices.tolist(), values.tolist(), strict=True)
                ]
                for indices, values in found.sparse_vectors()
            ]
        )

    return await calls.embed(read, embedding_deadline(request), reply)


@dataclass(frozen=True, slots=True)
class _Task(EmbedTask):
    """Texts to embed. normalize: scale dense vectors to length 1."""

    normalize: bool = False


def _task(
    calls: Calls,
    parsed: TeiSparseBody,
    part: Part,
    dimensions: int | None = None,
    normalize: bool = False,
) -> _Task:
    return _Task(
        parsed.model or _only_encoder(calls.service, part),
        parsed.inputs,
        part,
        parsed.prompt_name or "document",
        dimensions,
        truncate=bool(parsed.truncate),
        field="inputs",
        cutting="`truncate` to true",
        normalize=normalize,
    )


def _only_encoder(service: Seen, part: Part) -> str:
    """Return the place of the only encoder with this kind of vectors."""
    fitting = [one for one in served_encoders(service) if one.fills(part)]
    if len(fitting) == 1:
        return fitting[0].places[0]
    names = ", ".join(distinct_names(fitting)) or "none"
    raise invalid_field("model", f"name one of the encoders of the open collections: {names}")


def is_tei(given: dict[str, Any]) -> bool:
    """Return True for a request to `/rerank` in the form of TEI: with `texts`."""
    return "texts" in given and "documents" not in given


def rerank_body(service: Seen, given: dict[str, Any]) -> tuple[RerankBody, TeiRerankBody]:
    """Return a request in the form of TEI as a request of this server, and as it was."""
    parsed = validate(TeiRerankBody, RERANK.supported(given))
    names = service.rerankers.names
    if parsed.model is None and len(names) != 1:
        raise invalid_field("model", f"name one of the rerankers: {', '.join(names) or 'none'}")
    model = parsed.model or names[0]
    return RerankBody(model=model, query=parsed.query, documents=parsed.texts), parsed  # type: ignore[arg-type]


def rerank_reply(parsed: TeiRerankBody, result: Reranked, scores: list[float]) -> Any:
    """Return the reply to a request in the form of TEI. scores: of the results, best first."""
    return [
        {
            "index": placed.index,
            "score": score,
            **({"text": parsed.texts[placed.index]} if parsed.return_text else {}),
        }
        for placed, score in zip(result.order, scores, strict=True)
    ]
