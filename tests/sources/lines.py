"""Files of JSON lines for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write(path: Path, *lines: Any) -> Path:
    """Write each value as a line of JSON. Return the path."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
