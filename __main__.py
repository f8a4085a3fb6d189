"""`python -m twindex` is the command `twindex`."""

from __future__ import annotations

import sys

# Absolute: torch imports `__main__`, and type checkers run here take this file for it.
from twindex.api.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
