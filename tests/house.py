"""Helpers for tests: the sub-packages from the lowest to the highest, kinds, and examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import settings

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


def scaled(examples: int) -> int:
    """Return the number of Hypothesis examples: a third, but at least 20, in the quick tests.

    examples: number of examples if the slow tests run too.
    """
    thorough = settings.default.max_examples >= 100
    return examples if thorough else max(20, examples // 3)
