"""The memory of this process."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress


def peak_bytes() -> int:
    """Return the peak memory of this process, in bytes.

    On Linux, `ru_maxrss` may include the memory of the parent process, so it is read only if
    `/proc/self/status` does not contain the peak.
    """
    with suppress(OSError), open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
