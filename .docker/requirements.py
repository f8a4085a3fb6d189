"""Prints the dependencies of the package and of its extra `gguf`, one a line."""

from __future__ import annotations

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
print(*project["dependencies"], *project["optional-dependencies"]["gguf"], sep="\n")
