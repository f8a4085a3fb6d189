"""The jobs of a server that belong to no collection yet: restorations of snapshots."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from ....core import ConflictError, StorageError
from ....index.store.jobs import JobStore
from ..served import Served

FOLDER = ".twindex"
"""Name of the folder beside the collections that holds the state of the server."""


def state_folder(root: Path) -> Path:
    """Create the folder for the state of the server, if it is missing, and return it.

    Raises ConflictError if the folder of the server is read-only, and StorageError if the folder
    cannot be created.
    """
    folder = root / FOLDER
    if not os.access(folder if folder.exists() else root, os.W_OK):
        raise ConflictError("the folder of the server is read-only; make it writable")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"{FOLDER} cannot be created ({error.strerror})") from error
    return folder


class RootJobs:
    """The jobs in `.twindex` beside the collections. The folder is created with the first job."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = Lock()
        self._served: Served | None = None

    def open(self, *, create: bool) -> Served | None:
        """Return the holder of the jobs. None: there are none, and `create` is False.

        Raises ConflictError if the folder of the server is read-only.
        """
        with self._lock:
            if self._served is None and (create or (self._root / FOLDER).is_dir()):
                if not create and not os.access(self._root / FOLDER, os.W_OK):
                    return None
                folder = state_folder(self._root)
                self._served = Served("", folder, status="ready", jobs=JobStore(folder))
            return self._served

    def found(self) -> list[Served]:
        """Return a list of the holder, or an empty list if there are no jobs."""
        served = self.open(create=False)
        return [] if served is None else [served]

    def holder(self) -> Served:
        """Return the holder of the jobs, after the folder was created if needed."""
        served = self.open(create=True)
        assert served is not None, "it was created"
        return served

    def close(self) -> None:
        """Close the database."""
        if self._served is not None:
            self._served.close()
