"""Reads configuration files: TOML and JSON."""

from __future__ import annotations

import json
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
    return _parse(path, tomllib.loads, "TOML", parse)


def parse_settings(path: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    """Read a TOML file, or a JSON file if the suffix is `.json`, as `parse_toml` does."""
    if path.suffix.lower() != ".json":
        return parse_toml(path, parse)
    return _parse(path, json.loads, "JSON", parse)


def _parse(
    path: Path,
    loads: Callable[[str], Any],
    language: str,
    parse: Callable[[dict[str, Any]], T],
) -> T:
    content = read_bounded(path, MAX_TOML)
    try:
        return parse(loads(content.decode()))
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"is not valid {language}: {error}", path=path) from None
    except RecursionError:
        raise SourceError("is nested too deeply; use fewer levels", path=path) from None
    except ConfigError as error:
        raise SourceError(error.message, path=path, field=error.field) from None
