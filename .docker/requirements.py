"""Prints the dependencies of the package and of its extras `gguf` and `mcp`, one a line."""

from __future__ import annotations

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
print(*project["dependencies"], *extras["gguf"], *extras["mcp"], sep="\n")
