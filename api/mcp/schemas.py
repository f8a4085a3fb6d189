"""JSON Schemas of the arguments and results of tools."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from ...core import Config
from ..descriptions import fields, without_fields


def of_arguments(arguments: type[Config]) -> dict[str, Any]:
    """Return the schema of a tool's arguments. Defaults of absent arguments are not mentioned."""
    schema = _described(arguments.model_json_schema())
    del schema["description"]
    for value in schema["properties"].values():
        if value.get("default", ...) in (None, "", {}):
            del value["default"]
        if "anyOf" in value:  # An argument may be absent, but need not be null.
            value |= next(one for one in value.pop("anyOf") if one != {"type": "null"})
    return schema


def of_result(result: Any) -> dict[str, Any]:
    """Return the schema of a tool's result, a TypedDict."""
    return _described(TypeAdapter(result).json_schema())


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """Move the texts about fields from docstrings to the fields, and remove generated titles."""
    for one in (schema, *schema.get("$defs", {}).values()):
        texts = fields(one.get("description", ""))
        one["description"] = without_fields(one.get("description", ""))
        one.pop("title", None)
        for name, value in one.get("properties", {}).items():
            value.pop("title", None)
            given = value.get("description", "")
            value["description"] = f"{texts[name]} {given}".strip()
    schema.setdefault("properties", {})
    return schema
