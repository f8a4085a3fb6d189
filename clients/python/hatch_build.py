"""Build hook that copies shared source files of the repository into the client's distributions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHARED = (
    "client",
    "integrations",
    "core/filters",
    "core/answers.py",
    "core/errors.py",
    "core/types.py",
    "core/results.py",
    "core/display.py",
    "core/progress.py",
    "core/closing.py",
    "core/sse.py",
    "core/unicode.py",
    "py.typed",
)
"""Files and folders of the package `twindex` that the client contains."""


class SharedFiles(BuildHookInterface[Any]):
    """Adds the shared files. A source distribution already has them, so it is left unchanged."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the shared files to a wheel or a source distribution."""
        repository = Path(self.root).parents[1]
        if (Path(self.root) / "twindex_client" / SHARED[0]).is_dir():
            return
        for name in SHARED:
            build_data["force_include"][str(repository / name)] = f"twindex_client/{name}"
        if self.target_name == "sdist":
            build_data["force_include"][str(repository / "LICENSE")] = "LICENSE"
