"""SIGHUP: reload the parts of the server, or stop it if its terminal is gone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from ...serving.operations.reloading import Reloading
from .terminal import has_terminal


def reload_at_hangup(reloading: Reloading, stop: Callable[[], None]) -> None:
    """Handle SIGHUP in the running event loop.

    stop: called if the server was started in a terminal that is closed.
    """
    loop = asyncio.get_running_loop()
    terminal = has_terminal()

    def handle() -> None:
        if terminal and not has_terminal():
            stop()
        else:
            loop.run_in_executor(None, reloading.attempt)

    loop.add_signal_handler(signal.SIGHUP, handle)
