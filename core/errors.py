"""Every error Twindex raises on purpose.

TwindexError
├── InvalidInputError          a value the caller gave is wrong; `field` names it
│   ├── ConfigError            a configuration cannot be used
│   └── SourceError            a line of an input file cannot be used (file, line, field)
├── NotFoundError              no such collection, document or job
├── ConflictError              the thing exists already, or is busy
│   └── EncoderMismatchError   the collection was made with another encoder
├── ModelError                 a model cannot be found or loaded, or does not answer
│   └── UnsupportedError       the model, its server or the store cannot do what is asked
│       └── UnsupportedByStoreError   the store; an InvalidInputError too: ask for something else
├── MissingExtraError          an optional package is not installed; names the extra
├── ServiceError               a service answered with something else than a result
│   ├── AccessError            it wants a key, another key, or refuses this caller
│   └── UnavailableError       it cannot be reached, is overloaded or not ready, or takes too long
└── StorageError               what is on disk cannot be used
    └── CorruptFileError       a file is damaged; names it
"""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SHOWN = 40


class TwindexError(Exception):
    """Base of all errors raised on purpose.

    code: a stable machine-readable word. request_id: of the request to a service that failed; None
    where no service was involved. The service's log has it.
    """

    code = "error"
    request_id: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors go from process to process as they are, whatever their constructor takes."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class InvalidInputError(TwindexError):
    """A value given by the caller is wrong. `field` is the path to it, e.g. `legs[0].weight`."""

    code = "invalid"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.message = message
        self.field = field


class ConfigError(InvalidInputError):
    """A configuration is contradictory or refers to something that does not exist."""

    code = "config"


class SourceError(InvalidInputError):
    """One record of an input file cannot be used."""

    code = "source"

    def __init__(
        self, message: str, *, path: Path, line: int | None = None, field: str | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.path = path
        self.line = line

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line is not None else str(self.path)
        return f"{place}: {super().__str__()}"


class NotFoundError(TwindexError):
    """A named collection, document, leg or job does not exist."""

    code = "not_found"


class ConflictError(TwindexError):
    """The request contradicts the present state; retrying later or elsewhere may work."""

    code = "conflict"


class EncoderMismatchError(ConflictError):
    """The encoder at hand is not the one whose representations are in the collection."""

    code = "encoder_mismatch"


class ModelError(TwindexError):
    """A model cannot be found or loaded, or does not answer as it should."""

    code = "model"


class UnsupportedError(ModelError):
    """The model, the server that runs it, or the store lacks a capability. Names it."""

    code = "unsupported"


class UnsupportedByStoreError(UnsupportedError, InvalidInputError):
    """The store that holds a collection lacks a capability, which `field` names."""

    code = "unsupported"


class MissingExtraError(TwindexError):
    """An optional part is not installed."""

    code = "missing_extra"

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'twindex[{extra}]'")
        self.package = package
        self.extra = extra


class ServiceError(TwindexError):
    """A service answered with something else than a result."""

    code = "service"


class AccessError(ServiceError):
    """A service wants a key or another one, or refuses this caller."""

    code = "access"


class UnavailableError(ServiceError):
    """A service cannot be reached, is overloaded or not ready, or takes too long."""

    code = "unavailable"


class StorageError(TwindexError):
    """What is on disk cannot be read or written as it should."""

    code = "storage"


class CorruptFileError(StorageError):
    """A file of a collection is missing, truncated or altered."""

    code = "corrupt"

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def shown(value: object) -> str:
    """A value as an error message names it: its `repr`, cut where that is long."""
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return f"an integer of about {value.bit_length() * 3 // 10:,} digits"
    if isinstance(value, str | bytes):
        text = repr(value[: _SHOWN + 1])
    elif value is None or isinstance(value, bool | int | float):
        text = repr(value)
    else:
        return f"{type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def any_of(names: Sequence[str]) -> str:
    """`a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
