"""The OpenAPI document: request bodies are read raw, so their schemas are declared here."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ..core import CollectionConfig
from ..search import ReconfigureRequest, SearchRequest
from .problems import MEDIA_TYPE
from .rerank_schemas import RerankBody
from .schemas import BatchRequest, DeleteRequest, DocumentBody, ProblemDetails

_TEMPLATE = "#/components/schemas/{model}"
_BODIES: tuple[type[BaseModel], ...] = (
    BatchRequest,
    CollectionConfig,
    DeleteRequest,
    DocumentBody,
    ReconfigureRequest,
    RerankBody,
    SearchRequest,
)
COLLECTION = {
    "name": "collection",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "title": "Collection"},
}
"""The path parameter of a route that reads it from `request.path_params`."""


def json_body(model: type[BaseModel], example: Any, *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of a route that reads a JSON body."""
    assert model in _BODIES, model
    schema = {"$ref": _TEMPLATE.format(model=model.__name__)}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def ndjson_body(example: str) -> dict[str, Any]:
    """`openapi_extra` of a route that reads one JSON document in each line."""
    content = {"application/x-ndjson": {"schema": {"type": "string"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route for the errors that it answers."""
    schema = {"$ref": _TEMPLATE.format(model=ProblemDetails.__name__)}
    return {
        status: {"description": _MEANING[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


_MEANING = {
    400: "Malformed request",
    404: "No such collection, document or job",
    409: "Conflict with the present state",
    413: "Body too large",
    415: "Wrong content type",
    422: "A field is invalid",
    429: "Too many requests are waiting",
    503: "Not ready or damaged, or a model failed",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        models = [(model, "validation") for model in (*_BODIES, ProblemDetails)]
        _, definitions = models_json_schema(models, ref_template=_TEMPLATE)  # type: ignore[arg-type]
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions["$defs"])
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "api-key"},
        }
        app.openapi_schema = document
    return app.openapi_schema
