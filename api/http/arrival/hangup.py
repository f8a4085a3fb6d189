"""SIGHUP: reload the parts of the server, or stop it if its terminal is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from ....core import TwindexError
from ...serving.operations.reloading import Reloading


def reload_at_hangup(reloading: Reloading, stop: Callable[[], None]) -> None:
    """Handle SIGHUP in the running event loop.

    stop: called if the server was started in a terminal that is closed.
    """
    loop = asyncio.get_running_loop()
    terminal = _has_terminal()

    def reload() -> None:
        with suppress(TwindexError):  # It is logged, and the old configuration stays.
            reloading.run()

    def handle() -> None:
        if terminal and not _has_terminal():
            stop()
        else:
            loop.run_in_executor(None, reload)

    loop.add_signal_handler(signal.SIGHUP, handle)


def _has_terminal() -> bool:
    """Return True if the process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
