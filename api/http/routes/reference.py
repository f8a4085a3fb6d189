"""The API reference page: the OpenAPI document, with a form to try each operation.

All files come from this server. The framework's own page would load scripts from a CDN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ...pages import examples
from ...pages.templates import render
from ...serving.access.seen import Seen

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
async def reference_page(request: Request) -> Response:
    """Show every operation with its parameters, body, replies and examples."""
    service: Seen = request.state.service
    names = [served.name for served in service.known()]
    base = str(request.base_url).rstrip("/")
    may = service.access.allowed
    return await service.readers.run(_page, request.app.openapi(), names, base, may)


def _page(
    document: Mapping[str, Any], collections: Sequence[str], base: str, may: Set[str]
) -> Response:
    """Return the API reference page.

    document:    the OpenAPI document.
    collections: names of collections for the forms.
    base:        address of this server in the examples.
    may:         scopes of the request.
    """
    values = {"collection": collections[0]} if collections else {}
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            operation = _operation(path, method, described)
            operation["curl"] = examples.curl(base, operation, values)
            operation["python"] = examples.python(base, operation, values)
            groups.setdefault(described["tags"][0], []).append(operation)
    schemas = {
        name: orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode()
        for name, schema in sorted(document["components"]["schemas"].items())
    }
    return render(
        "reference.html",
        {
            "info": document["info"],
            "groups": groups,
            "schemas": schemas,
            "collections": collections,
            "base": base,
            "may": may,
        },
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    summary, _, rest = operation.get("description", operation["summary"]).partition("\n\n")
    content = operation.get("requestBody", {}).get("content", {})
    media_type = next(iter(content), "")
    example = content.get(media_type, {}).get("example", "")
    return {
        "id": f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""),
        "path": path,
        # The only operation whose collection does not exist yet.
        "creates": method == "put" and path.endswith("{collection}"),
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
