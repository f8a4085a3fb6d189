"""Helpers for tests: the sub-packages from the lowest to the highest, and kind registries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import twindex
from twindex.core import Kinds

ROOMS = [
    "core",
    "client",
    "llm",
    "ask",
    "sources",
    "encoders",
    "index",
    "rerank",
    "generate",
    "search",
    "integrations",
    "eval",
    "train",
    "api",
]
HOUSE = Path(twindex.__file__).parent


def forget(family: Kinds[Any], config: type[Any]) -> None:
    """Remove a kind that a test registered from its family."""
    family._kinds = {name: kind for name, kind in family._kinds.items() if kind is not config}
