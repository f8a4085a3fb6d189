"""TOML files that hold configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .errors import ConfigError, SourceError

T = TypeVar("T")


def parse_toml(path: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    """What `parse` makes of a TOML file. Raises SourceError, which names file and field."""
    try:
        with path.open("rb") as file:
            return parse(tomllib.load(file))
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"not TOML: {error}", path=path) from None
    except ConfigError as error:
        raise SourceError(error.message, path=path, field=error.field) from None
