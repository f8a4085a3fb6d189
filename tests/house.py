"""Helpers for tests: the sub-packages from the lowest to the highest, kinds, and examples."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """Yield the address of `twindex serve` in another process, which serves `folder`/data."""
    (folder / "data").mkdir()
    log = folder / "log"
    command = [sys.executable, "-m", "twindex.api.cli.main", "serve", str(folder / "data")]
    with log.open("w") as errors:
        process = subprocess.Popen([*command, "--port", "0", *options], stderr=errors)
    try:
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
            assert process.poll() is None, log.read_text()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        yield found[0]
    finally:
        process.terminate()
        process.wait(60)


def scaled(examples: int) -> int:
    """Return the number of Hypothesis examples: a third, but at least 20, in the quick tests.

    examples: number of examples if the slow tests run too.
    """
    thorough = settings.default.max_examples >= 100
    return examples if thorough else max(20, examples // 3)
