"""The encoders, rerankers, generators, backgrounds and rewriters of this server."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....generate import BackgroundConfig, GeneratorConfig
from ....generate.rewriting import RewriterConfig
from ....rerank import RerankerConfig
from ...serving.service import Service
from ..openapi import problems
from ..render import json_response
from ..shapes.operations import ModelList
from ..strict import StrictRoute

router = APIRouter(tags=["operations"], route_class=StrictRoute)


@router.get("/v1/models", responses={200: {"model": ModelList}, **problems(429)})
async def models(request: Request) -> Response:
    """List the rerankers, generators, backgrounds, rewriters and encoders of the server.

    Requests may name them, except the encoders: these belong to the legs of collections.
    """
    service: Service = request.app.state.service
    found = [
        *_rerankers(service),
        *_generators(service),
        *_backgrounds(service),
        *_rewriters(service),
        *_encoders(service),
    ]
    return json_response({"object": "list", "data": found})


def _rerankers(service: Service) -> list[dict[str, Any]]:
    return [
        _entry(service, name, "reranker", config.kind)
        | {
            "status": service.rerankers.status(name),
            "weights": _weights(config),
            "candidates": config.candidates,
        }
        for name, config in service.rerankers.configs.items()
    ]


def _generators(service: Service) -> list[dict[str, Any]]:
    return [
        _entry(service, name, "generator", config.kind)
        | {"status": service.generators.status(name), "weights": _weights(config)}
        for name, config in service.generators.configs.items()
    ]


def _backgrounds(service: Service) -> list[dict[str, Any]]:
    found = service.generators.backgrounds
    return [
        _entry(service, name, "background", config.kind)
        | {"status": found.status(name), "weights": _weights(config)}
        for name, config in found.configs.items()
    ]


def _rewriters(service: Service) -> list[dict[str, Any]]:
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


def _encoders(service: Service) -> list[dict[str, Any]]:
    """Return an entry for each encoder of the open collections, with the legs that use it."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for served in service.known():
        if served.collection is not None:
            for leg, config in served.collection.config.legs.items():
                # Models in different folders may have the same name.
                path = getattr(config.encoder, "model", "")
                key = (served.encoders[leg], config.encoder.kind, path)
                found.setdefault(key, []).append(f"{served.name}/{leg}")
    return [
        _entry(service, name, "encoder", kind) | {"status": "ready", "legs": sorted(legs)}
        for (name, kind, _), legs in sorted(found.items())
    ]


def _entry(service: Service, name: str, type_: str, kind: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": service.started,
        "owned_by": "twindex",
        "type": type_,
        "kind": kind,
    }
