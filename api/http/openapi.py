"""The OpenAPI document: request bodies are read raw, so their schemas are declared here."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ...index import CollectionConfig
from ...search import ReconfigureRequest, SearchRequest
from ..serving.allowed import objects
from ..serving.problems import MEDIA_TYPE
from ..serving.settings import OPEN_PATHS, Settings
from .shapes.reranking import RerankBody
from .shapes.schemas import BatchRequest, DeleteRequest, DocumentBody, ProblemDetails

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
_COLLECTION = "Name of a collection: letters a-z, digits, - and _; at most 64."
COLLECTION = {
    "name": "collection",
    "in": "path",
    "required": True,
    "description": _COLLECTION,
    "schema": {"type": "string", "title": "Collection"},
}
"""The path parameter of a route that reads it from `request.path_params`."""
_PARAMETERS = {
    "collection": _COLLECTION,
    "limit": "Documents in a page.",
    "cursor": "`next_cursor` of the page before.",
}
"""Descriptions of parameters that have none, by name."""
_ID = {"document": "Id of a document, percent-encoded.", "job": "Id of a job."}
_OPERATION_IDS = {
    "models": "list_models",
    "live": "get_liveness",
    "ready": "get_readiness",
    "healthy": "get_health",
    "metrics": "get_metrics",
    "info": "get_info",
    "delete_many": "delete_documents",
}
"""Names of functions that say too little outside their module."""
_TAGS = {
    "search": "Search collections, and rerank documents.",
    "documents": "Write, read and delete documents.",
    "collections": "Create, describe and delete collections, and maintain their files.",
    "jobs": "Long work that goes on after its answer.",
    "operations": "State, metrics and models of the server.",
}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key of the server."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The key as password, with any name, as browsers ask for it.",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "api-key",
        "description": "The key of the server.",
    },
}


def operation_id(route: APIRoute) -> str:
    """The name of an operation, from which generators make the name of a function."""
    return _OPERATION_IDS.get(route.name, route.name)


def json_body(model: type[BaseModel], example: Any, *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of a route that reads a JSON body."""
    assert model in _BODIES, model
    schema = {"$ref": _TEMPLATE.format(model=model.__name__)}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def ndjson_body(example: str) -> dict[str, Any]:
    """`openapi_extra` of a route that reads one JSON document in each line."""
    content = {
        "application/x-ndjson": {"schema": {"type": "string"}, "example": example},
        # The same bytes: generators of clients know this type, and leave the other out.
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
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
    401: "No key, or a wrong one",
    403: "From a page of another site, or for a host that is not served here",
    404: "No such collection, document or job",
    409: "Conflict with the present state",
    413: "Body too large",
    415: "Wrong content type",
    422: "A field or parameter is invalid",
    429: "Too many requests are waiting",
    503: "Not ready or damaged, overloaded, or a model failed",
    504: "It took longer than `search_seconds`",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        settings: Settings = app.state.settings
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
            servers=[{"url": settings.root_path or "/"}],
            license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        )
        models = [(model, "validation") for model in (*_BODIES, ProblemDetails)]
        _, definitions = models_json_schema(models, ref_template=_TEMPLATE)  # type: ignore[arg-type]
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions["$defs"])
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        _describe_defaults(schemas)
        _require_kinds(schemas)
        document["components"]["securitySchemes"] = _SCHEMES
        for path, methods in document["paths"].items():
            for operation in methods.values():
                _complete(path, operation, keyed=settings.api_key is not None)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(path: str, operation: dict[str, Any], *, keyed: bool) -> None:
    """Add what all operations have in common: errors, security, descriptions of parameters."""
    required: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
    if path in OPEN_PATHS:
        operation["security"] = []
    else:
        operation["security"] = required if keyed else [{}, *required]
    for parameter in operation.get("parameters", ()):
        kind = "job" if "/jobs/" in path else "document"
        known = _ID[kind] if parameter["name"] == "id" else _PARAMETERS.get(parameter["name"])
        if known is not None:
            parameter.setdefault("description", known)
    responses = operation["responses"]
    statuses = {400, 403} | (set() if path in OPEN_PATHS else {401, 503})
    if "422" in responses or path.startswith("/v1/"):
        statuses |= {422}
    for status, response in problems(*statuses).items():
        present = responses.get(str(status))
        if present is None or "HTTPValidationError" in str(present):
            responses[str(status)] = response
    operation["responses"] = dict(sorted(responses.items()))


def _require_kinds(schemas: dict[str, Any]) -> None:
    """Require the property that tells the members of a union apart, as the service does.

    In a union without a `discriminator` the first member is meant where it is left out.
    """
    for schema in list(objects(schemas)):
        members = [one["$ref"].rpartition("/")[2] for one in schema.get("oneOf", ())]
        name = schema.get("discriminator", {}).get("propertyName")
        for member in members[name is None :]:
            found = schemas[member]
            found["required"] = sorted({name or "kind", *found.get("required", ())})


def _describe_defaults(schemas: dict[str, Any]) -> None:
    """Write defaults that are objects into descriptions: generators leave out what has one."""
    for schema in list(objects(schemas)):
        default = schema.get("default")
        if isinstance(default, dict) and not {"$ref", "oneOf", "anyOf"}.isdisjoint(schema):
            del schema["default"]
            text = f"Default: `{orjson.dumps(default).decode()}`."
            schema["description"] = f"{schema.get('description', '')} {text}".strip()
