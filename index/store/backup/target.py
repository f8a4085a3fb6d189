"""Where snapshots are stored: a folder, or an object store of fsspec such as S3."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from ....core import InvalidInputError
from .folder_target import FolderTarget
from .object_target import SCHEMES, ObjectTarget


class Writer(Protocol):
    """Writes the files of one snapshot. Without `commit`, the snapshot does not exist."""

    def file(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Create a file and return it, open for writing. name: path within the snapshot."""

    def local(self, name: str) -> AbstractContextManager[Path]:
        """Return a path on this machine for a file. The file is stored after the block."""

    def commit(self, manifest: bytes) -> None:
        """Store the manifest, which completes the snapshot. It is durable on return."""


class Target(Protocol):
    """A place for snapshots. All methods raise StorageError if it cannot be reached.

    address: the folder or URL.
    """

    address: str

    def names(self) -> list[str]:
        """Return the names of the complete snapshots, in no order."""

    def open(self, snapshot: str, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file of a snapshot. Raises NotFoundError if it does not exist."""

    def writer(self, snapshot: str) -> AbstractContextManager[Writer]:
        """Begin a snapshot. If the block ends without `commit`, its files are removed."""

    def remove(self, snapshot: str) -> None:
        """Remove a snapshot. After an interruption it does not exist, or exists completely."""


def open_target(address: str | Path) -> Target:
    """Return the target at a folder, or at a URL such as `s3://bucket/prefix`.

    Raises InvalidInputError for an unknown kind of URL, and MissingExtraError if a package is not
    installed.
    """
    text = str(address)
    scheme, mark, _ = text.partition("://")
    if not mark:
        return FolderTarget(Path(text))
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise InvalidInputError(
            f"{text!r} has an unknown kind of address; name a folder, or a URL with {known}",
            field="target",
        )
    return ObjectTarget.at(text)
