"""Aliases: other names of collections, which move to another collection in one step.

They are in a JSON file that is replaced as a whole. So a crash leaves the aliases as they were
before a change or after it, and other processes on the same folder see the change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from zlib import crc32

from ....core import ConflictError, CorruptFileError, InvalidInputError, NotFoundError
from ....core.errors import StorageError
from ....core.near import did_you_mean
from ....index.arrays.files import exclusive, sync_directory
from .root_jobs import FOLDER, state_folder

FILE = "aliases.json"
MOST = 10_000
"""Maximum number of aliases."""

_pinned: ContextVar[dict[str, str] | None] = ContextVar("pinned", default=None)


def pin() -> None:
    """Let every name have the same meaning until the current request ends."""
    _pinned.set({})


class Aliases:
    """The aliases of the collections in the folder `root`. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / FOLDER / FILE
        self._lock = Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._aliases: Mapping[str, str] = {}

    def all(self) -> Mapping[str, str]:
        """Return alias -> collection, sorted. Reads the file only if it has changed.

        Raises CorruptFileError for a damaged file.
        """
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be read ({error.strerror})") from error
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        if stamp != self._stamp:
            with self._lock:
                self._aliases = _parse(self._path)
                self._stamp = stamp
        return self._aliases

    def resolve(self, name: str) -> str:
        """Return the collection of an alias, or the name itself if it is not an alias.

        In a request, the first result for a name stays its result.
        """
        pinned = _pinned.get()
        if pinned is None:
            return self.all().get(name, name)
        if name not in pinned:
            pinned[name] = self.all().get(name, name)
        return pinned[name]

    def of(self, collection: str) -> list[str]:
        """Return the aliases of a collection."""
        return [alias for alias, target in self.all().items() if target == collection]

    def change(
        self,
        actions: Sequence[tuple[str, str | None]],
        check: Callable[[str, str, str], None],
    ) -> Mapping[str, str]:
        """Set and delete aliases, all or none. The change is durable on return.

        actions: pairs of an alias and its collection; None: delete the alias.
        check: called with the alias, the collection and the place of each action that sets an
            alias. It raises an error if that is not allowed.

        Returns all aliases. Raises NotFoundError for an unknown alias that is to be deleted, and
        InvalidInputError if an alias occurs twice or there are too many.
        """
        folder = state_folder(self._root)
        with exclusive(folder / "aliases.lock", wait=True):
            changed = dict(self.all())
            seen: set[str] = set()
            for number, (alias, collection) in enumerate(actions):
                place = f"actions[{number}]"
                if alias in seen:
                    raise InvalidInputError(
                        f"{alias!r} occurs in two actions; keep one", field=f"{place}.alias"
                    )
                seen.add(alias)
                if collection is not None:
                    check(alias, collection, place)
                    changed[alias] = collection
                elif alias in changed:
                    del changed[alias]
                else:
                    hint = did_you_mean(alias, self.all())
                    raise NotFoundError(f"no alias {alias!r}{hint}")
            if len(changed) > MOST:
                raise ConflictError(f"there may be at most {MOST:,} aliases; delete some first")
            if changed != self.all():
                _write(self._path, changed)
        return self.all()


def _parse(path: Path) -> Mapping[str, str]:
    try:
        value = json.loads(path.read_bytes())
        aliases: dict[str, str] = value["aliases"]
        if value["crc32"] == _check(aliases):
            return aliases
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError):
        pass
    raise CorruptFileError(
        path, "is damaged (its checksum does not match)", remedy="remove it and set the aliases"
    )


def _write(path: Path, aliases: Mapping[str, str]) -> None:
    value = dict(sorted(aliases.items()))
    temporary = path.with_suffix(".new")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump({"aliases": value, "crc32": _check(value)}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        sync_directory(path.parent)
        sync_directory(path.parent.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror})") from error


def _check(aliases: Mapping[str, str]) -> int:
    return crc32(json.dumps(aliases, sort_keys=True).encode())
