"""Generates the reference of the REST interface from its OpenAPI document."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings

from .docstrings import cell, table

HEAD = """\
# REST

A server has this reference as `GET /openapi.json`, and as a page with forms at `/docs`.
[REST interface](../rest.md) explains how to use it.

[Errors](#errors) are [problem details](#problemdetails). If the server has a key, every request
must have it, except `/livez`, `/readyz` and `/health`: `Authorization: Bearer KEY`, `api-key: KEY`,
or the password of HTTP basic authentication.
"""
SCHEMAS = "#/components/schemas/"


def document() -> dict[str, Any]:
    """The OpenAPI document of a server with default settings."""
    with tempfile.TemporaryDirectory() as root:
        made: dict[str, Any] = create_app(Path(root), Settings()).openapi()
    return made


def operations(api: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """All operations as (method, path, operation), in the order of the document."""
    return [
        (method.upper(), path, found)
        for path, methods in api["paths"].items()
        for method, found in methods.items()
    ]


def pages() -> dict[str, str]:
    """The generated pages: path below docs/reference -> text."""
    api = document()
    text = [HEAD]
    for tag in api["tags"]:
        text.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}\n")
        for method, path, found in operations(api):
            if tag["name"] in found["tags"]:
                title = found["summary"].capitalize()
                text += [f"### {title}\n", f"`{method} {path}`\n", *_operation(found)]
    text.append(_errors(api))
    text.append("## Objects\n\nA request with an unknown field is refused.\n")
    schemas = api["components"]["schemas"]
    text += [_object(name, schemas[name]) for name in sorted(schemas)]
    return {"rest.md": "\n".join(text)}


def _operation(found: dict[str, Any]) -> list[str]:
    text = [f"{_prose(found.get('description') or found['summary'])}\n"]
    rows = [
        (
            f"`{one['name']}`",
            f"{_kind(one['schema'])}, in the {one['in']}<br>{cell(one.get('description', ''))}",
        )
        for one in found.get("parameters", [])
    ]
    if rows:
        text.append(table(("parameter", ""), rows) + "\n")
    for media, content in found.get("requestBody", {}).get("content", {}).items():
        text.append(f"Body, `{media}`: {_kind(content['schema'])}\n")
        example = content.get("example")
        if example is not None:
            shown = example if isinstance(example, str) else json.dumps(example, indent=2)
            text.append(f"```json\n{shown.strip()}\n```\n")
    errors = []
    for status, reply in found["responses"].items():
        kinds = [
            _kind(one["schema"]) for one in reply.get("content", {}).values() if one.get("schema")
        ]
        if kinds == [_kind({"$ref": f"{SCHEMAS}ProblemDetails"})]:
            errors.append(status)
        else:
            said = reply["description"].replace("Successful Response", "success")
            text.append(f"Reply {status}, {': '.join([cell(said), *kinds])}\n")
    text.append(f"Errors: {', '.join(errors)} ([meaning](#errors))\n")
    return text


def _errors(api: dict[str, Any]) -> str:
    """The section with the meaning of each error status."""
    found = {
        status: reply["description"]
        for _, _, operation in operations(api)
        for status, reply in operation["responses"].items()
        if status >= "400"
    }
    rows = [(status, cell(found[status])) for status in sorted(found)]
    return f"## Errors\n\n{table(('status', 'meaning'), rows)}\n"


def _object(name: str, schema: dict[str, Any]) -> str:
    rows = []
    required = set(schema.get("required", ()))
    for field, one in schema.get("properties", {}).items():
        kind = [_kind(one), "required" if field in required else _default(one)]
        rows.append(
            (f"`{field}`", f"{', '.join(filter(None, kind))}<br>{cell(one.get('description', ''))}")
        )
    prose = _prose(schema.get("description", ""))
    text = [f"### {name}", *([prose] if prose else [])]
    if rows:
        text.append(table(("field", "type, default and meaning"), rows))
    return "\n\n".join(text) + "\n"


def _prose(text: str) -> str:
    return "\n\n".join(cell(part).replace("\\|", "|") for part in text.split("\n\n")).strip()


def _default(schema: dict[str, Any]) -> str:
    if "default" not in schema or schema["default"] in (None, "", [], {}):
        return ""
    return f"default `{json.dumps(schema['default'])}`".replace("|", "\\|")


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            kinds = [_kind(one) for one in schema[several] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"array of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        return f"object with values: {_kind(values)}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low:,} to {high:,}"
    return str(kind)
