"""Generates the reference of the server settings from the class `Settings`."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import SecretStr

from twindex.api.descriptions import fields
from twindex.api.serving.settings import PREFIX, Settings, option
from twindex.core.bounds import Bounds

from .docstrings import table

HEAD = """\
# Server settings

Every setting is a key of the file `twindex serve --config FILE.toml`, an environment variable and,
with the exceptions below, an option of `twindex serve`. An option overrides a variable, and a
variable overrides the file. An invalid value stops the start, and the error names the place of the
value. [Deployment](../deployment.md) explains how to choose the values.

- `api_key` has no option, because every user of a machine can read the arguments of its programs.
  Use the variable, the file, or `--api-key-file FILE`.
- Lists are separated by commas in variables and options. `--models` may be repeated.

Other variables: `TWINDEX_ALLOW_DOWNLOAD=1` permits downloads of models, `TWINDEX_CACHE` names the
[cache folder](../deployment.md#caches), `TWINDEX_DEBUG=1` shows tracebacks of the command line.
"""


def meanings() -> dict[str, str]:
    """The meaning of each setting, by name."""
    return fields(Settings.__doc__ or "")


def pages() -> dict[str, str]:
    """The generated pages: path below docs/reference -> text."""
    text = [HEAD]
    texts = meanings()
    for name, field in Settings.model_fields.items():
        rows = [("variable", f"`{PREFIX}{name.upper()}`")]
        if name != "api_key":
            rows.append(("option", f"`{option(name)}`"))
        rows.append(("default", _shown(field.default)))
        bounds = [one.words for one in field.metadata if isinstance(one, Bounds)]
        if bounds:
            rows.append(("value", bounds[0]))
        elif values := _values(field.annotation):
            rows.append(("value", ", ".join(f"`{value}`" for value in values)))
        meaning = texts.get(name, "")
        text.append(
            f"## `{name}`\n\n{meaning[:1].upper()}{meaning[1:]}\n\n{table(('', ''), rows)}\n"
        )
    return {"server.md": "\n".join(text)}


def _shown(default: Any) -> str:
    if default in (None, "", ()) or isinstance(default, SecretStr):
        return "none"
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:,}" if isinstance(default, (int, float)) else f"`{default}`"


def _values(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is not None and all(
        isinstance(one, str) for one in get_args(annotation)
    ):
        return get_args(annotation)
    return next(filter(None, map(_values, get_args(annotation))), ())
