"""mkdocs hooks: link the package, whose root is the repository, into a build folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "build" / "docs" / "twindex"
"""A folder with links to the sub-packages only, from which the reference is built."""


def on_startup(**_: Any) -> None:
    """Create the links. mkdocs calls this before it builds."""
    PACKAGE.mkdir(parents=True, exist_ok=True)
    for found in [ROOT / "__init__.py", *(init.parent for init in ROOT.glob("*/__init__.py"))]:
        link = PACKAGE / found.name
        if not link.is_symlink():
            link.symlink_to(found)
