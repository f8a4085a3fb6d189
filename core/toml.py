"""Reads TOML configuration files."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .errors import ConfigError, SourceError
from .files import read_bounded

T = TypeVar("T")

MAX_TOML = 2**20
"""Maximum size of a configuration file, in bytes."""


def parse_toml(path: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    """Read a TOML file, call `parse` with its content, and return the result.

    Raises SourceError, which names the file and the field, if the content is invalid, the path is
    not a regular file, or the file exceeds `MAX_TOML` bytes.
    """
    content = read_bounded(path, MAX_TOML)
    try:
        return parse(tomllib.loads(content.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"is not valid TOML: {error}", path=path) from None
    except RecursionError:
        raise SourceError("is nested too deeply; use fewer levels", path=path) from None
    except ConfigError as error:
        raise SourceError(error.message, path=path, field=error.field) from None
