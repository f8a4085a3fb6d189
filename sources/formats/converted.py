"""What readers return: the text of a file, or the files of an archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Converted:
    """The text of a file as Markdown. A form feed separates pages and slides.

    title: title that the file gives itself; "" if there is none. metadata: what the file says about
    itself, such as `author`; JSON values.
    """

    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive. name: its path inside the archive. file: its name in the folder."""

    name: str
    file: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of an archive that was not unpacked, and why. name: "" means the archive itself."""

    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The files that were unpacked from an archive, and those that were not.

    expanded: number of bytes that were unpacked.
    """

    members: list[Member]
    skipped: list[Skipped]
    expanded: int
