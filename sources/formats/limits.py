"""Limits of size, memory and time for reading one file."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from ...core import InvalidInputError
from ...core.errors import shown
from .reasons import TOO_LARGE, UnreadableError

_SIZE = re.compile(r"(\d+)\s*([KMG]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for reading one file, or one archive with all its members. Each limit is a maximum.

    A file that exceeds a limit has no document, and an error is reported for it.

    seconds:    time to convert a file, or to unpack an archive.
    memory:     address space of the process that converts files, in bytes. Linux only.
    bytes:      size of a file.
    characters: number of characters in the text of a document.
    members:    number of files in an archive, including those in archives inside it.
    expanded:   bytes of an archive's files when unpacked, including archives inside it.
    ratio:      unpacked bytes for each byte of an archive. Applies if more than 16 MiB are
                unpacked.
    depth:      number of nested archives that contain a file.

    Raises InvalidInputError for a value that is not a whole number or is too small.
    """

    seconds: int = 60
    memory: int = 2 * 2**30
    bytes: int = 512 * 2**20
    characters: int = 32 * 2**20
    members: int = 20_000
    expanded: int = 2 * 2**30
    ratio: int = 200
    depth: int = 4

    def __post_init__(self) -> None:
        for field in fields(self):
            least = MIN_MEMORY if field.name == "memory" else 1
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool):
                message = f"must be a whole number, got {shown(value)}"
                raise InvalidInputError(message, field=field.name)
            if value < least:
                message = f"must be at least {least:,}, got {shown(value)}"
                raise InvalidInputError(message, field=field.name)

    def __str__(self) -> str:
        """Return the limits in the form that `parse` reads."""
        return ",".join(
            f"{field.name}={_shown(getattr(self, field.name))}" for field in fields(self)
        )

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Return the limits that `NAME=VALUE,...` sets. All other limits have their defaults.

        A value is a whole number, and may end with KB, MB or GB (powers of 1,024).

        Raises InvalidInputError for an unknown name and for an invalid value.
        """
        names = [field.name for field in fields(cls)]
        values: dict[str, int] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            name, _, value = part.partition("=")
            match = _SIZE.fullmatch(value.strip())
            if name not in names:
                known = ", ".join(names)
                raise InvalidInputError(f"{shown(name)} is not a limit; known limits: {known}")
            if match is None:
                message = f"{name} must be a number such as 100 or 2GB, got {shown(value)}"
                raise InvalidInputError(message)
            values[name] = int(match[1]) * _UNITS[match[2].lower()]
        return cls(**values)


def check_characters(text: str, limits: Limits) -> None:
    """Raise UnreadableError if a text has more characters than `Limits.characters`."""
    if len(text) > limits.characters:
        raise UnreadableError(
            TOO_LARGE,
            f"has {len(text):,} characters of text, but the limit is {limits.characters:,}; "
            "split the file, or raise the limit `characters`",
        )


def _shown(value: int) -> str:
    for unit in ("GB", "MB", "KB"):
        size = _UNITS[unit[0].lower()]
        if value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


MIN_MEMORY = 256 * 2**20
"""Address space in bytes that Python and the libraries of the readers require."""
DEFAULT_LIMITS = Limits()
RATIO_FROM = 16 * 2**20
"""Unpacked size in bytes from which `Limits.ratio` applies. Small files may compress well."""
MAX_FOLDERS = 100
"""Maximum number of folders inside each other."""
