"""TOML files that hold configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .errors import ConfigError, SourceError
from .files import read_bounded

T = TypeVar("T")

MAX_TOML = 2**20
"""Bytes of a configuration file."""


def parse_toml(path: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    """What `parse` makes of a TOML file. Raises SourceError, which names file and field.

    The file must be a regular file of at most `MAX_TOML` bytes.
    """
    content = read_bounded(path, MAX_TOML)
    try:
        return parse(tomllib.loads(content.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"not TOML: {error}", path=path) from None
    except RecursionError:
        raise SourceError("not a configuration: nested too deeply", path=path) from None
    except ConfigError as error:
        raise SourceError(error.message, path=path, field=error.field) from None
