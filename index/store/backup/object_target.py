"""Snapshots in an object store, through obstore: S3 and stores with the same interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from ....core import MissingExtraError, NotFoundError, StorageError
from .manifest import MANIFEST, is_name

SCHEMES = {"s3": "S3Store"}
"""Scheme of a URL -> class of obstore."""
_PART = 16 << 20
"""Bytes of a part of an upload or download."""
_PARTS = 2
"""Parts that are uploaded at the same time."""
_ABANDONED = timedelta(days=1)
"""Age from which files without a manifest are removed. Another machine may write younger ones."""


class ObjectTarget:
    """A `Target` in an object store. The manifest is uploaded last.

    store: a store of obstore, with the prefix of all snapshots.
    """

    def __init__(self, address: str, store: Any) -> None:
        self.address = address.rstrip("/")
        self._store = store
        self._library = import_module("obstore")

    @classmethod
    def at(cls, url: str) -> ObjectTarget:
        """Return the target at a URL. Keys, region and endpoint are the variables `AWS_*`.

        Raises MissingExtraError if the package obstore is not installed, and StorageError for an
        invalid URL or variable.
        """
        try:
            stores = import_module("obstore.store")
        except ImportError:
            raise MissingExtraError("obstore", "s3") from None
        try:
            store = getattr(stores, SCHEMES[url.partition("://")[0]]).from_url(url)
        except Exception as error:  # noqa: BLE001 - each variable has errors of its own
            raise StorageError(f"{url}: is not an address of snapshots ({_short(error)})") from None
        return cls(url, store)

    def names(self) -> list[str]:
        return [name for name in self._folders() if f"{name}/{MANIFEST}" in self._paths(name)]

    def _folders(self) -> list[str]:
        with self._failing("read"):
            found = self._library.list_with_delimiter(self._store)["common_prefixes"]
        return sorted(name for path in found if is_name(name := path.rstrip("/").split("/")[-1]))

    def _objects(self, snapshot: str) -> list[Any]:
        with self._failing("read"):
            return [one for page in self._library.list(self._store, snapshot) for one in page]

    def _paths(self, snapshot: str) -> list[str]:
        return [one["path"] for one in self._objects(snapshot)]

    @contextmanager
    def open(self, snapshot: str, name: str) -> Iterator[BinaryIO]:
        path = f"{snapshot}/{name}"
        with self._failing("read"):
            try:
                yield _Reader(self._library.open_reader(self._store, path, buffer_size=_PART))  # type: ignore[misc]
            except FileNotFoundError:
                raise NotFoundError(f"{self.address}/{path}: does not exist") from None

    @contextmanager
    def writer(self, snapshot: str) -> Iterator[ObjectWriter]:
        self._remove_abandoned()
        writer = ObjectWriter(self._library, self._store, snapshot)
        try:
            with self._failing("written"):
                yield writer
        finally:
            if not writer.committed:
                with suppress(StorageError):
                    self._remove(self._paths(snapshot))

    def remove(self, snapshot: str) -> None:
        self._remove([f"{snapshot}/{MANIFEST}"])  # From now on, the snapshot does not exist.
        self._remove(self._paths(snapshot))

    def _remove(self, paths: Sequence[str]) -> None:
        with self._failing("written"), suppress(FileNotFoundError):
            if paths:
                self._library.delete(self._store, list(paths))

    def _remove_abandoned(self) -> None:
        """Remove the files of snapshots that were interrupted long ago."""
        limit = datetime.now(UTC) - _ABANDONED
        for name in self._folders():
            found = self._objects(name)
            complete = any(one["path"] == f"{name}/{MANIFEST}" for one in found)
            if not complete and all(one["last_modified"] < limit for one in found):
                self._remove([one["path"] for one in found])

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Turn errors of the library in the block into StorageErrors."""
        try:
            yield
        except (FileNotFoundError, StorageError):
            raise
        except (OSError, self._library.exceptions.BaseError) as error:
            raise StorageError(
                f"{self.address}: snapshots cannot be {what} ({_short(error)}); check the address, "
                "the variables AWS_* and the network"
            ) from error


class ObjectWriter:
    """The `Writer` of a snapshot in an object store."""

    def __init__(self, library: Any, store: Any, snapshot: str) -> None:
        self._library = library
        self._store = store
        self._snapshot = snapshot
        self.committed = False

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        path = f"{self._snapshot}/{name}"
        with self._library.open_writer(
            self._store, path, buffer_size=_PART, max_concurrency=_PARTS
        ) as file:
            yield file

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with TemporaryDirectory(prefix="twindex-") as folder:
            path = Path(folder) / Path(name).name
            yield path
            self._library.put(
                self._store,
                f"{self._snapshot}/{name}",
                path,
                chunk_size=_PART,
                max_concurrency=_PARTS,
            )

    def commit(self, manifest: bytes) -> None:
        self._library.put(self._store, f"{self._snapshot}/{MANIFEST}", manifest)
        self.committed = True


class _Reader:
    """A file of an object store, open for reading."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return bytes(self._file.read(size))


def _short(error: Exception) -> str:
    """Return the first line of an error: the library adds the whole chain of causes."""
    return str(error).partition("\n")[0][:300]
