"""Descriptions of the fields in JSON schemas, taken from the docstrings of the classes.

A docstring describes fields in lines such as

    limit:  number of hits.
    offset: number of hits to skip. Further lines of a field
            are indented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from typing import Any

FIELD = re.compile(r"([a-z][a-z_0-9]*(?:, [a-z][a-z_0-9]*)*): +(\S.*)")
"""A line that describes fields: their names, and the text."""


def fields(docstring: str) -> dict[str, str]:
    """Return field -> its description in the docstring, on one line."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in cleandoc(docstring).splitlines():
        matched = FIELD.fullmatch(line)
        if matched:
            current = [matched[2]]
            found |= dict.fromkeys(matched[1].split(", "), current)
        elif current is not None and line.startswith(" "):
            current.append(line.strip())
        else:
            current = None
    return {name: " ".join(texts) for name, texts in found.items()}


def without_fields(docstring: str) -> str:
    """Return the docstring without the lines that describe fields."""
    kept: list[str] = []
    inside = False
    for line in cleandoc(docstring).splitlines():
        inside = bool(FIELD.fullmatch(line)) or (inside and line.startswith(" "))
        if not inside:
            kept.append(line)
    return "\n".join(kept).strip()


def describe_fields(schemas: dict[str, Any], base: type) -> None:
    """Move the text about each field from the schema's description to the field's property.

    base: schemas of its subclasses also get the descriptions of inherited fields.
    """
    inherited = {cls.__name__: list(_docstrings(cls, base)) for cls in _subclasses(base)}
    for name, schema in schemas.items():
        text = schema.get("description", "")
        for docstring in inherited.get(name, [text]):
            for field, meaning in fields(docstring).items():
                known = schema.get("properties", {}).get(field)
                if known is None:
                    continue
                given = known.get("description", "")
                if not given or given.startswith("Default: "):
                    known["description"] = f"{meaning} {given}".strip()
        if text:
            schema["description"] = without_fields(text)


def _docstrings(cls: type, base: type) -> Iterator[str]:
    """Yield the docstring of a class, then those of its bases that are subclasses of `base`."""
    for one in cls.__mro__:
        if one is base:
            return
        if one.__doc__:
            yield one.__doc__


def _subclasses(base: type) -> Iterable[type]:
    subclasses: list[type] = base.__subclasses__()
    for one in subclasses:
        yield one
        yield from _subclasses(one)
