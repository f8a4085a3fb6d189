"""The API reference: made from the OpenAPI document, with a form to try each operation.

Everything comes from this server: the framework's own page loads its scripts from a CDN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..service import Service
from .page import render

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
async def reference_page(request: Request) -> Response:
    """Every operation with its parameters, body and replies."""
    service: Service = request.app.state.service
    return await service.readers.run(_page, request.app.openapi())


def _page(document: Mapping[str, Any]) -> Response:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    schemas = {
        name: orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode()
        for name, schema in sorted(document["components"]["schemas"].items())
    }
    values = {"info": document["info"], "groups": groups, "schemas": schemas}
    return render("reference.html", values)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    summary, _, rest = operation.get("description", operation["summary"]).partition("\n\n")
    content = operation.get("requestBody", {}).get("content", {})
    media_type = next(iter(content), "")
    example = content.get(media_type, {}).get("example", "")
    return {
        "id": f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""),
        "path": path,
        "method": method.upper(),
        "summary": summary,
        "description": rest,
        "parameters": operation.get("parameters", []),
        "media_type": media_type,
        "example": example
        if isinstance(example, str)
        else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode(),
        "schema": _schema_name(content.get(media_type, {})),
        "responses": [
            {
                "status": status,
                "description": response["description"],
                "schema": _schema_name(next(iter(response.get("content", {}).values()), {})),
            }
            for status, response in sorted(operation["responses"].items())
        ],
    }


def _schema_name(content: Mapping[str, Any]) -> str:
    return str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
