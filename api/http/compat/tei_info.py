"""What a server of text-embeddings-inference (TEI) says about its model."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from .... import __version__
from ...serving.calls import Calls
from ...serving.embedding import ServedEncoder, distinct_names, place_of, served_encoders
from ...serving.limits.deadline import Deadline
from ...serving.problems import Problem, invalid_field, unknown_model
from ..render import json_response
from ..shapes.reranking import MOST_DOCUMENTS
from ..shapes.shape import Shape
from ..strict import StrictRoute
from .replies import failures
from .tei import TeiError
from .texts import MOST_TEXTS

router = APIRouter(tags=["compatible"], route_class=StrictRoute)


class TeiInfo(Shape):
    """A model, as a server of text-embeddings-inference describes the only one that it has.

    model_id:         name of the model, which the field `model` of requests accepts.
    model_sha, sha, docker_label, max_batch_requests: always null.
    model_dtype:      number format in which the model computes.
    model_type:       `{"embedding": {"pooling": ...}}` for an encoder: "splade" for sparse vectors,
                      "model" for dense ones, whose pooling is the model's own. `{"reranker":
                      {"id2label": ..., "label2id": ...}}` for a reranker, with one label.
    max_input_length: maximum number of tokens that are read of a text; the setting `query_chars`
                      for a model that reads texts of any length.
    max_concurrent_requests: number of requests that run or wait; further ones get 429.
    max_client_batch_size: maximum number of texts of a request.
    max_batch_tokens: the product of `max_client_batch_size` and `max_input_length`.
    auto_truncate:    always false: a text that is too long is refused, unless the request sets
                      `truncate`.
    tokenization_workers: number of requests that run in parallel.
    version:          version of this server.
    """

    model_id: str
    model_sha: None
    model_dtype: str
    model_type: dict[str, dict[str, Any]]
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: None
    docker_label: None


@router.get("/info", responses={200: {"model": TeiInfo}, **failures(TeiError)})
async def model_info(
    request: Request,
    model: str | None = Query(
        None,
        description="Name of an encoder or a reranker; may be left out if there is only one encoder"
        ", or no encoder and one reranker.",
    ),
) -> Response:
    """Describe a model as text-embeddings-inference does."""
    calls: Calls = request.state.calls
    deadline = Deadline.of(calls.settings)
    return json_response(await calls.parse(lambda: _info(calls, model), deadline))


def _info(calls: Calls, model: str | None) -> dict[str, Any]:
    service = calls.service
    encoders = [
        one for one in served_encoders(service) if one.fills("dense") or one.fills("sparse")
    ]
    by_name = dict(zip(distinct_names(encoders), encoders, strict=True))
    rerankers = service.rerankers.configs
    name = model if model is not None else _only(by_name or rerankers)
    place = place_of(service, name)
    found = by_name.get(name) or next((one for one in encoders if place in one.places), None)
    if found is not None:
        return _of_encoder(calls, name, found)
    if name in rerankers:
        length = getattr(rerankers[name], "max_length", None) or calls.settings.query_chars
        labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        parallel = calls.settings.rerank_threads, calls.settings.rerank_queue
        kind = {"reranker": labels}
        return _described(name, "float32", kind, length, MOST_DOCUMENTS, parallel)
    if service.loading:
        raise Problem(503, "the server is still loading", headers={"Retry-After": "5"})
    known = ", ".join((*by_name, *rerankers)) or "none"
    raise unknown_model(f"no model of this name; the models are {known}")


def _only(names: Any) -> str:
    """Return the only name. Raises Problem 422 if there are several, and an empty name if none."""
    if len(names) > 1:
        raise invalid_field("model", f"name one of the models: {', '.join(names)}")
    return next(iter(names), "")


def _of_encoder(calls: Calls, name: str, found: ServedEncoder) -> dict[str, Any]:
    served, leg = found.legs[0]
    reader = getattr(served.ready()[0].encoder(leg), "reader", None)
    length = calls.settings.query_chars if reader is None else reader.limit
    pooling = "model" if found.fills("dense") else "splade"
    dtype = str(getattr(found.config, "precision", "float32"))
    parallel = calls.settings.embed_threads, calls.settings.embed_queue
    return _described(
        name, dtype, {"embedding": {"pooling": pooling}}, length, MOST_TEXTS, parallel
    )


def _described(
    name: str,
    dtype: str,
    kind: dict[str, dict[str, Any]],
    length: int,
    texts: int,
    parallel: tuple[int, int],
) -> dict[str, Any]:
    """Return a model as a JSON object of `TeiInfo`.

    parallel: number of threads, and of requests that may wait.
    """
    threads, waiting = parallel
    return {
        "model_id": name,
        "model_sha": None,
        "model_dtype": dtype,
        "model_type": kind,
        "max_concurrent_requests": threads + waiting,
        "max_input_length": length,
        "max_batch_tokens": length * texts,
        "max_batch_requests": None,
        "max_client_batch_size": texts,
        "auto_truncate": False,
        "tokenization_workers": threads,
        "version": __version__,
        "sha": None,
        "docker_label": None,
    }
