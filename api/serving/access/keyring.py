"""The keys of a running server. Changes of their file take effect without a restart."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from hmac import compare_digest
from pathlib import Path
from threading import Lock

from ....core import TwindexError
from ..problems import Problem
from ..settings import Settings
from .access import OPERATOR, Access
from .key_file import FILE_NAME, Key, KeyFile, digest_of, id_of

logger = logging.getLogger(__name__)

CHECK_SECONDS = 0.25
"""Minimum time between two looks at the file, in seconds."""

_State = tuple[int, int, int]


def keyring_of(root: Path, settings: Settings, mark: Path | None = None) -> Keyring:
    """Return the keys of a server of the folder `root`. mark: as for `Keyring`."""
    key = settings.api_key
    path = settings.keys or root / FILE_NAME
    # A key that one worker created or revoked has effect in the others at once.
    pause = None if settings.workers == 1 else 0.0
    return Keyring(path, None if key is None else key.get_secret_value(), pause, mark)


class Keyring:
    """The valid keys of a server. Thread-safe.

    A server that has had a file of keys requires a key until it ends, even if the file is removed.
    While the file cannot be read, its keys are refused.

    path:    the file of keys.
    api_key: an additional key that may do everything; None: there is none.
    pause:   minimum time between two looks at the file, in seconds; None: CHECK_SECONDS.
    mark:    file of all workers of a server that is created once the server has had a file of keys,
             so that a worker which replaces another one requires a key too; None: no workers.
    """

    def __init__(
        self,
        path: Path,
        api_key: str | None = None,
        pause: float | None = None,
        mark: Path | None = None,
    ) -> None:
        self._file = KeyFile(path)
        self._pause = pause
        self._api_key = None if api_key is None else api_key.encode()
        self._lock = Lock()
        self._due = 0.0
        self._state: _State | None = None
        self._keys: dict[str, tuple[Key, Access]] = {}
        self._problem: str | None = None
        self._mark = mark
        self._seen = mark is not None and mark.exists()
        self._refresh()

    @property
    def file(self) -> KeyFile:
        """The file of keys."""
        return self._file

    def reload(self) -> None:
        """Read the file again."""
        with self._lock:
            self._refresh()

    @property
    def path(self) -> Path:
        """Return the path of the file."""
        return self._file.path

    @property
    def required(self) -> bool:
        """True if requests must send a key."""
        self._look()
        return self._api_key is not None or self._seen

    def find(self, given: bytes) -> tuple[Key | None, Access] | None:
        """Return a key and its access; None for an unknown, expired or revoked key.

        The key is None for the setting `api_key`. Raises Problem 503 if the file cannot be read.
        """
        if self._api_key is not None and compare_digest(given, self._api_key):
            return None, Access(OPERATOR)
        self._look()
        text = given.decode("latin-1")
        own = id_of(text)
        if own is None:
            return None
        if self._problem is not None:
            raise Problem(
                503,
                "the server cannot read its file of keys; its log names the reason",
                code="keys_unreadable",
                headers={"Retry-After": "5"},
            )
        # Unknown ids take the same time as known ones.
        key, access = self._keys.get(own, (None, Access()))
        digest = "" if key is None else key.digest
        if not compare_digest(digest.encode(), digest_of(text).encode()) or key is None:
            return None
        return None if key.state(time.time()) != "valid" else (key, access)

    def _look(self) -> None:
        """Read the file again if it has changed, at most every `pause` seconds."""
        now = time.monotonic()
        if now >= self._due and self._lock.acquire(blocking=False):
            try:
                self._due = now + (CHECK_SECONDS if self._pause is None else self._pause)
                self._refresh()
            finally:
                self._lock.release()

    def _refresh(self) -> None:
        try:
            status = os.stat(self._file.path)
            state: _State | None = (status.st_ino, status.st_mtime_ns, status.st_size)
            problem = None
        except FileNotFoundError:
            state = None
            problem = f"{self._file.path} is gone" if self._seen else None
        except OSError as error:
            state, problem = None, str(error.strerror)
        if state is not None and state == self._state and self._problem is None:
            return
        keys: list[Key] = []
        if state is not None:
            try:
                keys = self._file.read()
            except TwindexError as error:
                problem = str(error)
        if state is not None or problem is not None:
            if self._mark is not None and not self._seen:
                self._mark.touch()
            self._seen = True
        if problem is not None and problem != self._problem:
            logger.error("the file of keys cannot be used: %s", problem)
        self._state, self._problem = state, problem
        self._keys = _with_access(keys)


def _with_access(keys: Iterable[Key]) -> dict[str, tuple[Key, Access]]:
    """Return id -> key and access. keys: oldest first, so that each follows its creator."""
    found: dict[str, tuple[Key, Access]] = {}
    for key in keys:
        creator = None if key.creator is None else found.get(key.creator)
        found[key.id] = key, key.access(None if creator is None else creator[1])
    return found
