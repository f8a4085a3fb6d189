"""What readers return: the text of a file, or the files of an archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Converted:
    """The text and the properties of a file.

    text:     text as Markdown. A form feed separates pages and slides.
    title:    title in the properties of the file; "" if there is none.
    metadata: other properties of the file, such as `author`; JSON values.
    """

    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """A file that was unpacked from an archive.

    name: path inside the archive.
    file: name in the folder of unpacked files.
    """

    name: str
    file: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of an archive that was not unpacked.

    name:    path inside the archive; "" for the archive itself.
    reason:  a constant of `reasons.py`.
    message: what is wrong, and what the user can do.
    """

    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The result of unpacking an archive.

    members:  files that were unpacked.
    skipped:  files that were not unpacked.
    expanded: number of bytes that were unpacked.
    """

    members: list[Member]
    skipped: list[Skipped]
    expanded: int
