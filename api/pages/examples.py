"""Examples for the API reference: each operation as a curl command and a Python program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
_VALUES = {"collection": "my-collection", "id": "kiwi"}


def _path(path: str, values: Mapping[str, str]) -> str:
    """Return a path of the OpenAPI document with `{name}` replaced by a value.

    A parameter without a value becomes its name in capitals, for the reader to replace.
    """
    known = {**_VALUES, **values}
    return _PARAMETER.sub(lambda m: quote(known.get(m[1], m[1].upper()), safe=""), path)


def curl(base: str, operation: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """Return a curl command that requests an operation.

    base:   address of the server, without a final slash.
    values: path parameter -> value.
    """
    lines = [f"curl {shlex.quote(base + _path(operation['path'], values))}"]
    if operation["method"] != "GET":
        lines[0] += f" -X {operation['method']}"
    if operation["media_type"]:
        lines.append(f"-H 'Content-Type: {operation['media_type']}'")
        lines.append(f"--data-binary {shlex.quote(operation['example'])}")
    return " \\\n  ".join(lines)


def python(base: str, operation: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """Return a Python program that requests an operation with the standard library.

    Arguments: see `curl`.
    """
    arguments = [repr(base + _path(operation["path"], values))]
    if operation["method"] != "GET":
        arguments.append(f"method={operation['method']!r}")
    body = ""
    if operation["media_type"]:
        body = f'body = """{_literal(operation["example"])}"""\n'
        arguments.append("data=body.encode()")
        arguments.append(f'headers={{"Content-Type": {operation["media_type"]!r}}}')
    call = ",\n    ".join(arguments)
    return (
        "from urllib.request import Request, urlopen\n\n"
        f"{body}request = Request(\n    {call},\n)\n"
        "with urlopen(request) as response:\n    print(response.read().decode())\n"
    )


def _literal(text: str) -> str:
    """Return a text, escaped for a Python literal in triple double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return escaped[:-1] + '\\"' if escaped.endswith('"') else escaped
