"""Every error Twindex raises on purpose.

TwindexError
├── InvalidInputError          a value from the caller is wrong; `field` names it
│   ├── ConfigError            a configuration is invalid
│   └── SourceError            a line of an input file is invalid (file, line, field)
├── NotFoundError              a collection, document, leg or job does not exist
│   └── GoneError              an earlier state or version is no longer kept
├── ConflictError              the target already exists or is busy
│   ├── EncoderMismatchError   the collection was built with another encoder
│   └── PreconditionFailedError   the document is not in the state that the caller expects
├── ModelError                 a model cannot be found or loaded, or does not answer
│   └── UnsupportedError       the model, its server or the store lacks a capability
│       └── UnsupportedByStoreError   the store lacks it; also an InvalidInputError
├── MissingExtraError          an optional package is not installed; names the extra
├── ServiceError               a service did not return a result
│   ├── AccessError            the key is missing, wrong or lacks the permission
│   └── UnavailableError       the service is unreachable, overloaded, not ready or too slow
│       └── TimeLimitError     the call took longer than its time limit
└── StorageError               files on disk cannot be read or written
    └── CorruptFileError       a file is damaged; names it
"""

from __future__ import annotations

import copyreg
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SHOWN = 40
RESTORE = (
    "restore the collection from a backup, or build it again; `twindex verify` lists all damage"
)
"""What to do about damage to a collection that cannot be repaired."""


class TwindexError(Exception):
    """Base class of all errors that Twindex raises on purpose.

    code:       stable machine-readable name of the error.
    request_id: id of the failed request, as in the service's log. None if no service was involved.
    written:    number of documents that a call such as `add` wrote durably before it failed. None
                if the call writes no documents, or failed before it began to write.

    If `written` is greater than 0, the text of the error ends with this number.
    """

    code = "error"
    request_id: str | None = None
    written: int | None = None

    def __str__(self) -> str:
        text = super().__str__()
        if not self.written:
            return text
        many = "1 document was" if self.written == 1 else f"{self.written:,} documents were"
        return f"{text}; {many} written before the error"

    def __reduce__(self) -> tuple[Any, ...]:
        """Make errors picklable, whatever arguments the constructor of a subclass requires."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class InvalidInputError(TwindexError):
    """A value from the caller is wrong.

    field: path of the value, such as `legs[0].weight`. None if no single field is wrong.
    """

    code = "invalid"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.message = message
        self.field = field


class ConfigError(InvalidInputError):
    """A configuration is contradictory, or refers to something that does not exist."""

    code = "config"


class SourceError(InvalidInputError):
    """A record of an input file is invalid, or a file cannot be read.

    path:   the file. A file in an archive has the path `archive.zip/name`.
    line:   line number from 1; None if the error concerns the whole file.
    reason: why the file or record gave no document, in a few words, such as "encrypted". Reports
            count the errors of each reason.
    """

    code = "source"

    def __init__(
        self,
        message: str,
        *,
        path: Path,
        line: int | None = None,
        field: str | None = None,
        reason: str = "invalid",
    ) -> None:
        super().__init__(message, field=field)
        self.path = path
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line is not None else str(self.path)
        return f"{place}: {super().__str__()}"


class NotFoundError(TwindexError):
    """A named collection, document, leg or job does not exist."""

    code = "not_found"


class GoneError(NotFoundError):
    """A state of a collection, or a version of a document, is no longer kept."""

    code = "gone"


class ConflictError(TwindexError):
    """The request conflicts with the current state: the target already exists or is busy."""

    code = "conflict"


class EncoderMismatchError(ConflictError):
    """The encoder differs from the one that produced the vectors of the collection."""

    code = "encoder_mismatch"


class PreconditionFailedError(ConflictError):
    """A stored document is not in the state that the caller expects, and nothing was changed."""

    code = "precondition_failed"


class ModelError(TwindexError):
    """A model cannot be found or loaded, or does not give a valid answer."""

    code = "model"


class UnsupportedError(ModelError):
    """A model, its server or a store lacks a required capability, which the message names."""

    code = "unsupported"


class UnsupportedByStoreError(UnsupportedError, InvalidInputError):
    """The store of a collection (local, or a search engine) lacks a capability.

    `field` names the part of the request that requires the capability.
    """

    code = "unsupported"


class MissingExtraError(TwindexError):
    """An optional package is not installed. The message says which extra installs it."""

    code = "missing_extra"

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'twindex[{extra}]'")
        self.package = package
        self.extra = extra


class ServiceError(TwindexError):
    """A Twindex service did not return a result."""

    code = "service"


class AccessError(ServiceError):
    """A service refuses the caller: the API key is missing, wrong or lacks the permission."""

    code = "access"


class UnavailableError(ServiceError):
    """A service cannot be reached, is overloaded, is not ready or takes too long."""

    code = "unavailable"


class TimeLimitError(UnavailableError):
    """A call took longer than its time limit: that of its request, or that of the service."""

    code = "deadline"


class StorageError(TwindexError):
    """Files on disk cannot be read or written."""

    code = "storage"


class CorruptFileError(StorageError):
    """A file of a collection is missing, truncated or changed.

    path:    the file or folder.
    problem: what is wrong with it.

    The message is the path, the problem and `remedy`, which says what the user can do.
    """

    code = "corrupt"

    def __init__(self, path: Path, problem: str, *, remedy: str = RESTORE) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")
        self.path = path
        self.problem = problem


@contextmanager
def count_written(count: Callable[[], int]) -> Iterator[None]:
    """Set `written` of every TwindexError that leaves the `with` block.

    count: function that returns the number of documents written so far.
    """
    try:
        yield
    except TwindexError as error:
        error.written = count()
        raise


@contextmanager
def within(path: str, missing: str = "") -> Iterator[None]:
    """Put a path before the field of a ConfigError that leaves the `with` block.

    path:    field that holds the part of the configuration that the block reads, such as "llm".
    missing: field of an error without a field.
    """
    try:
        yield
    except ConfigError as error:
        field = ".".join(filter(None, (path, error.field or missing)))
        raise ConfigError(error.message, field=field) from error


def shown(value: object) -> str:
    """Return a value as text for an error message.

    Strings, bytes and numbers: `repr`, shortened to 40 characters. Booleans and None: as in JSON.
    Dictionaries and lists: "an object" and "a list". Values of other types: the name of the type.
    """
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return f"an integer of about {value.bit_length() * 3 // 10:,} digits"
    if isinstance(value, str | bytes):
        text = repr(value[: _SHOWN + 1])
    elif value is None or isinstance(value, bool):
        return json.dumps(value)
    elif isinstance(value, int | float):
        text = repr(value)
    else:
        names = {"dict": "an object", "list": "a list"}
        return names.get(type(value).__name__, type(value).__name__)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def any_of(names: Sequence[str]) -> str:
    """Return the names as a phrase, such as `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
