"""Writes a configuration as TOML, because the standard library can only read TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...core import Config

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def as_toml(config: Config) -> str:
    """Return a configuration as TOML, without the fields that are None.

    TOML has no null. The result still describes an equal configuration, because None is the default
    of every field that may be None.
    """
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
    # JSON and TOML have the same strings, numbers and booleans, except for one control character.
    return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007F")
