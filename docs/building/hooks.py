"""Hooks of mkdocs: the package is the root of the repository, which holds more than the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "build" / "docs" / "twindex"
"""A folder with links to the sub-packages, so that nothing else is read for the reference."""


def on_startup(**_: Any) -> None:
    """Called by mkdocs before anything is built."""
    PACKAGE.mkdir(parents=True, exist_ok=True)
    for found in [ROOT / "__init__.py", *(init.parent for init in ROOT.glob("*/__init__.py"))]:
        link = PACKAGE / found.name
        if not link.is_symlink():
            link.symlink_to(found)
