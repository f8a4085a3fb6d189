"""The OpenAPI document. Declares the schemas of request bodies, because routes read raw bytes."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ...core import Config
from ...core.sse import MEDIA_TYPE as EVENT_STREAM
from ..descriptions import describe_fields
from ..serving.allowed import objects
from ..serving.problems import MEDIA_TYPE
from ..serving.settings import OPEN_PATHS, Settings
from .shapes.failures import CohereProblem, ModelProblem, TeiProblem
from .shapes.schemas import ProblemDetails
from .shapes.shape import Shape

_TEMPLATE = "#/components/schemas/{model}"
_BODIES: dict[str, type[BaseModel]] = {}
"""Name -> class of each request body; `json_body` adds them."""
_PROBLEMS = (ProblemDetails, ModelProblem, CohereProblem, TeiProblem)
"""Shapes of errors that routes declare by name."""
_COLLECTION = "Name of a collection: 1 to 64 letters, digits, - and _."
COLLECTION = {
    "name": "collection",
    "in": "path",
    "required": True,
    "description": _COLLECTION,
    "schema": {"type": "string", "title": "Collection"},
}
"""Path parameter of a route that reads the name from `request.path_params`."""
_PARAMETERS = {
    "collection": _COLLECTION,
    "alias": "Name of an alias.",
    "snapshot": "Name of a snapshot.",
    "limit": "Maximum number of documents in a page.",
    "cursor": "`next_cursor` of the previous page.",
}
"""Parameter -> description, for parameters without one in the signature of a route."""
_ID = {
    "document": "Id of a document, percent-encoded.",
    "job": "Id of a job.",
    "key": "Id of a key.",
    "model": "Name of a model.",
}
_OPERATION_IDS = {
    "models": "list_models",
    "model": "get_model",
    "live": "get_liveness",
    "ready": "get_readiness",
    "healthy": "get_health",
    "health": "get_tei_health",
    "model_info": "get_tei_info",
    "metrics": "get_metrics",
    "info": "get_info",
    "reload": "reload_parts",
    "delete_many": "delete_documents",
}
"""Function of a route -> operation id, if its name is unclear outside its module."""
_TAGS = {
    "search": "Search collections, answer questions, and rerank documents.",
    "compatible": "Endpoints for clients of OpenAI, Cohere and text-embeddings-inference.",
    "documents": "Write, read and delete documents.",
    "collections": "Create, describe and delete collections, and maintain their files.",
    "jobs": "Long work that continues after the reply.",
    "keys": "List, create and revoke API keys.",
    "operations": "State, metrics and models of the server.",
}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key of the server."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The key as the password, with any user name, for browsers.",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "api-key",
        "description": "The key of the server.",
    },
}


def operation_id(route: APIRoute) -> str:
    """Return the operation id of a route. Client generators make a function name from it."""
    return _OPERATION_IDS.get(route.name, route.name)


def json_body(
    model: type[BaseModel], example: Any, *others: type[BaseModel], required: bool = True
) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads a JSON body.

    others: other shapes of the body.
    """
    for one in (model, *others):
        assert _BODIES.setdefault(one.__name__, one) is one, one
    refs = [{"$ref": _TEMPLATE.format(model=one.__name__)} for one in (model, *others)]
    schema = {"anyOf": refs} if others else refs[0]
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def events(description: str) -> dict[str, Any]:
    """Return the content of a reply that is a stream of server-sent events.

    The schema is that of one event, as tools that read such streams expect.
    """
    text = {"type": "string"}
    return {
        EVENT_STREAM: {
            "schema": {
                "type": "object",
                "description": description,
                "properties": {"event": text, "data": {**text, "description": "JSON"}},
                "required": ["data"],
            }
        }
    }


def ndjson_body(example: str) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads one JSON document per line."""
    content = {
        "application/x-ndjson": {"schema": {"type": "string"}, "example": example},
        # The same bytes, for client generators, which do not know the first type.
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
    return {"requestBody": {"required": True, "content": content}}


def problems(
    *statuses: int, shape: type[ProblemDetails] = ProblemDetails
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route for error statuses. Every body is problem details."""
    schema = {"$ref": _TEMPLATE.format(model=shape.__name__)}
    return {
        status: {"description": _MEANING[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


_MEANING = {
    410: "Beyond the retention of the history, or erased",
    400: "Malformed request",
    401: "Missing or wrong API key",
    403: "Request from a page of another site, or for an unknown host",
    404: "No such collection, document or job",
    409: "Conflict with the current state",
    412: "The stored document is not the expected one",
    413: "Body too large",
    415: "Wrong content type",
    422: "A field or parameter is invalid",
    429: "Too many requests are waiting",
    503: "Not ready, damaged or overloaded, or a model failed",
    504: "The request took longer than its `timeout_ms`, `search_seconds` or `answer_seconds`",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the application. The first call creates it."""
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
        models = [(model, "validation") for model in (*_BODIES.values(), *_PROBLEMS)]
        _, definitions = models_json_schema(models, ref_template=_TEMPLATE)  # type: ignore[arg-type]
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions["$defs"])
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        _describe_defaults(schemas)
        _require_kinds(schemas)
        describe_fields(schemas, Shape)
        describe_fields(schemas, Config)
        document["components"]["securitySchemes"] = _SCHEMES
        for path, methods in document["paths"].items():
            for operation in methods.values():
                _complete(path, operation, keyed=app.state.keyring.required)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(path: str, operation: dict[str, Any], *, keyed: bool) -> None:
    """Add common errors, security and descriptions of parameters to an operation.

    keyed: True if the server requires an API key.
    """
    required: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
    if path in OPEN_PATHS:
        operation["security"] = []
    else:
        operation["security"] = required if keyed else [{}, *required]
    for parameter in operation.get("parameters", ()):
        kind = next((kind for kind in ("job", "key", "model") if f"/{kind}s/" in path), "document")
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
    """Mark the property that distinguishes the schemas of a union, such as `kind`, as required.

    In a union without a `discriminator`, an object without the property has the first schema.
    """
    for schema in list(objects(schemas)):
        kinds = [one for one in schema.get("oneOf", ()) if "$ref" in one]
        members = [one["$ref"].rpartition("/")[2] for one in kinds]
        name = schema.get("discriminator", {}).get("propertyName")
        for member in members[name is None :]:
            found = schemas[member]
            found["required"] = sorted({name or "kind", *found.get("required", ())})


def _describe_defaults(schemas: dict[str, Any]) -> None:
    """Move the default of a field into its description if the default is an object.

    Client generators skip the schema of a field whose default is an object.
    """
    for schema in list(objects(schemas)):
        default = schema.get("default")
        if isinstance(default, dict) and not {"$ref", "oneOf", "anyOf"}.isdisjoint(schema):
            del schema["default"]
            text = f"Default: `{orjson.dumps(default).decode()}`."
            schema["description"] = f"{schema.get('description', '')} {text}".strip()
