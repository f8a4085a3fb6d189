"""The rooms of the project, from the lowest to the highest."""

from __future__ import annotations

from pathlib import Path

import twindex

ROOMS = [
    "core",
    "llm",
    "ask",
    "sources",
    "encoders",
    "index",
    "rerank",
    "search",
    "eval",
    "train",
    "api",
]
HOUSE = Path(twindex.__file__).parent
