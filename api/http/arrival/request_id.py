"""Make random request ids."""

from __future__ import annotations

import os
from collections.abc import Iterator

_BYTES = 12
_DRAWN = 256
"""Number of ids whose random bytes are drawn in one system call.

A system call releases the lock of the interpreter. Beside busy search threads, the event loop waits
up to SWITCH_SECONDS to get it back.
"""


def request_ids() -> Iterator[str]:
    """Yield random ids of 24 hexadecimal digits, without end. For the event loop only."""
    while True:
        drawn = os.urandom(_BYTES * _DRAWN).hex()
        for start in range(0, len(drawn), 2 * _BYTES):
            yield drawn[start : start + 2 * _BYTES]


NEW_ID = request_ids()
