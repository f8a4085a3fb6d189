"""The terminal in which the server was started."""

from __future__ import annotations

import os


def has_terminal() -> bool:
    """Return True if the process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
