"""What every configuration object is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import ConfigError


class Config(BaseModel):
    """Base of every configuration object."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """Validate a mapping; a wrong value is a ConfigError that names the field."""
        try:
            return cls.model_validate(dict(value))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = first["msg"].removeprefix("Value error, ")
            raise ConfigError(message, field=field_path(first["loc"], value)) from None


def field_path(place: tuple[int | str, ...], value: Any) -> str | None:
    """`legs[0].name` from pydantic's ("legs", 0, "name") for an error in `value`.

    The tags of unions, which pydantic puts between, are left out.
    """
    path = ""
    for position, part in enumerate(place):
        if isinstance(part, int):
            path += f"[{part}]"
            value = value[part] if isinstance(value, list | tuple) and part < len(value) else None
        elif _is_tag(part, value, last=position == len(place) - 1):
            continue
        else:
            path += f".{part}"
            value = value.get(part) if isinstance(value, Mapping) else None
    return path.removeprefix(".") or None


def _is_tag(part: str, value: Any, *, last: bool) -> bool:
    """What is not in a mapping has nothing inside it either, unless it is the tag of a union."""
    if not isinstance(value, Mapping) or part in value:
        return False
    return not last or value.get("kind") == part
