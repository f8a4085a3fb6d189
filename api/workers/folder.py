"""The temporary folder that the workers of a server share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...core import ConfigError
from ...index.arrays.files import remove_tree, try_lock
from ...index.arrays.temporary import remove_abandoned
from ..serving.operations.workers import metrics_of, quotas_of, socket_of

_PREFIX = "twindex-workers-"
"""Start of the name of the folder."""
_LONGEST_PATH = 100
"""Maximum number of bytes of the path of a socket."""


@contextmanager
def folder_of_workers() -> Iterator[tuple[Path, int]]:
    """Return a context with a new folder for the workers, which is removed at its end.

    The second value is the descriptor of a lock on the folder. The folder is in use while a process
    has the descriptor. So `systemd-tmpfiles`, which removes old files, leaves it alone, and folders
    of servers that were killed are found and removed here.
    """
    remove_abandoned(Path(tempfile.gettempdir()), _PREFIX)
    lock = None
    while lock is None:  # Another process may have removed the folder before it was locked.
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            lock = try_lock(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if len(os.fsencode(socket_of(folder))) > _LONGEST_PATH:
            raise ConfigError(
                f"{folder} is too long for a socket; set TMPDIR to a shorter folder",
                field="workers",
            )
        metrics_of(folder).mkdir()
        quotas_of(folder).mkdir()
        yield folder, lock
    finally:
        remove_tree(folder)
        os.close(lock)
