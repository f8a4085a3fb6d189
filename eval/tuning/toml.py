"""Configuration written as TOML, which the standard library only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...core import Config

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def as_toml(config: Config) -> str:
    """All fields of a configuration but those that are None, which TOML cannot say: None is the
    default wherever it is allowed."""
    return "\n".join(_table((), config.model_dump(mode="json", exclude_none=True))).lstrip() + "\n"


def _table(path: tuple[str, ...], value: Mapping[str, Any]) -> list[str]:
    plain = {key: item for key, item in value.items() if not isinstance(item, Mapping)}
    lines = [f"{_key(key)} = {_value(item)}" for key, item in plain.items()]
    if path and (plain or not value):
        lines = ["", f"[{'.'.join(_key(part) for part in path)}]", *lines]
    for key, item in value.items():
        if isinstance(item, Mapping):
            lines += _table((*path, key), item)
    return lines


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(item: Any) -> str:
    if isinstance(item, list):
        return f"[{', '.join(_value(one) for one in item)}]"
    # JSON's strings, numbers and booleans are TOML's, but for one control character.
    return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007F")
