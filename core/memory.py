"""The memory of this process."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress


def peak_bytes() -> int:
    """Return the peak memory of this process, in bytes. On Linux, ru_maxrss may be the parent's."""
    with suppress(OSError), open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
