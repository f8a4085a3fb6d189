"""What Word and PowerPoint files have in common: their properties."""

from __future__ import annotations

from typing import Any

from .markdown_text import one_line


def properties(core: Any) -> dict[str, Any]:
    """Return author, keywords, language and time of creation from the core properties of a file."""
    found: dict[str, Any] = {}
    for name, key in (("author", "author"), ("keywords", "keywords"), ("language", "language")):
        value = getattr(core, key, None)
        if isinstance(value, str) and (value := one_line(value)[:1000]):
            found[name] = value
    if (created := getattr(core, "created", None)) is not None:
        found["created"] = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return found
