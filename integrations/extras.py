"""Checks that the framework of an adapter is installed."""

from __future__ import annotations

from importlib import import_module

from ..core.errors import MissingExtraError


def require(module: str, package: str, extra: str) -> None:
    """Import a module of an optional package.

    package: name of the package for `pip`.
    extra:   extra of Twindex that installs the package.

    Raises MissingExtraError if the package is not installed.
    """
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # A dependency of the package is missing.
        raise MissingExtraError(package, extra) from None
