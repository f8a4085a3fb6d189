"""The models of this server: encoders, rerankers, generators and so on, and its collections."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....core.near import did_you_mean
from ....generate import BackgroundConfig, GeneratorConfig
from ....generate.rewriting import RewriterConfig
from ....rerank import RerankerConfig
from ...serving.access.seen import Seen
from ...serving.embedding import distinct_names, place_of, served_encoders
from ...serving.problems import unknown_model
from ..compat.conversations import PREFIX
from ..openapi import problems
from ..render import json_response
from ..shapes.failures import ModelProblem
from ..shapes.operations import Model, ModelList
from ..strict import StrictRoute

_FAILURES = problems(400, 401, 403, 422, 429, 503, shape=ModelProblem)

router = APIRouter(tags=["operations"], route_class=StrictRoute)


@router.get("/v1/models", responses={200: {"model": ModelList}, **_FAILURES})
async def models(request: Request) -> Response:
    """List the models of the server, which requests may name.

    They are the rerankers, generators, backgrounds, rewriters and encoders. A collection is a model
    too: OpenAI's and Cohere's clients ask it questions as `rag:COLLECTION` or `rag:ALIAS`.
    """
    return json_response({"object": "list", "data": _all(request.state.service)})


@router.get(
    "/v1/models/{id:text}",
    responses={200: {"model": Model}, **problems(404, shape=ModelProblem), **_FAILURES},
)
async def model(request: Request, id: str) -> Response:  # noqa: A002
    """Return one model, as it is in the list of models."""
    found = _all(request.state.service)
    place = place_of(request.state.service, id)
    for one in found:
        if one["id"] == id or place in one.get("legs", ()):
            return json_response(one)
    hint = did_you_mean(id, (one["id"] for one in found))
    raise unknown_model(f"no model {id!r}{hint or '; GET /v1/models lists them'}")


def _all(service: Seen) -> list[dict[str, Any]]:
    others = [
        *_rerankers(service),
        *_generators(service),
        *_backgrounds(service),
        *_rewriters(service),
    ]
    taken = {one["id"] for one in others}
    return [*others, *_encoders(service, taken), *_collections(service)]


def _rerankers(service: Seen) -> list[dict[str, Any]]:
    return [
        _entry(service, name, "reranker", config.kind)
        | {
            "status": service.rerankers.status(name),
            "weights": _weights(config),
            "candidates": config.candidates,
        }
        for name, config in service.rerankers.configs.items()
    ]


def _generators(service: Seen) -> list[dict[str, Any]]:
    return [
        _entry(service, name, "generator", config.kind)
        | {"status": service.generators.status(name), "weights": _weights(config)}
        for name, config in service.generators.configs.items()
    ]


def _backgrounds(service: Seen) -> list[dict[str, Any]]:
    found = service.generators.backgrounds
    return [
        _entry(service, name, "background", config.kind)
        | {"status": found.status(name), "weights": _weights(config)}
        for name, config in found.configs.items()
    ]


def _rewriters(service: Seen) -> list[dict[str, Any]]:
    return [
        _entry(service, name, "rewriter", config.kind)
        | {"status": service.rewriters.status(name), "weights": _weights(config)}
        for name, config in service.rewriters.configs.items()
    ]


def _weights(
    config: RerankerConfig | GeneratorConfig | BackgroundConfig | RewriterConfig,
) -> str | None:
    """Return the name of the model in a configuration; None if the configuration names none."""
    found = getattr(config, "model", None) or getattr(getattr(config, "llm", None), "model", None)
    return None if found is None else str(found)


def _encoders(service: Seen, taken: Container[str]) -> list[dict[str, Any]]:
    """Return an entry for each encoder of the open collections, with the legs that use it.

    taken: names of other models. An encoder with one of these names has the id of its first leg.
    """
    found = served_encoders(service)
    return [
        _entry(service, one.places[0] if name in taken else name, "encoder", one.kind)
        | {"status": "ready", "legs": one.places}
        for one, name in zip(found, distinct_names(found), strict=True)
    ]


def _collections(service: Seen) -> list[dict[str, Any]]:
    """Return an entry for each open collection, and one for each generator that may answer.

    A collection has these entries under each of its names: its own and its aliases.
    """
    names = [served.name for served in service.known() if served.collection is not None]
    names += [alias for alias, target in service.aliases().items() if target in set(names)]
    generators: dict[str | None, str] = {None: service.generators.default}
    generators |= {name: name for name in service.generators.names}
    return [
        _entry(
            service,
            f"{PREFIX}{collection}" + (f":{suffix}" if suffix else ""),
            "answers",
            service.generators.config(name).kind,
        )
        | {"status": service.generators.status(name)}
        for collection in names
        for suffix, name in generators.items()
    ]


def _entry(service: Seen, name: str, type_: str, kind: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": service.started,
        "owned_by": "twindex",
        "type": type_,
        "kind": kind,
    }
