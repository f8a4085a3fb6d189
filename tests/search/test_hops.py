"""A query passes few files on its way to the kernels, and none of them twice."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from twindex.index import CollectionConfig, LexicalLeg, interpreting
from twindex.search import Collection

from ..house import HOUSE

WAY = (
    "search/finding/methods.py",
    "search/finding/pipeline.py",
    "index/store/snapshot.py",
    "index/inverted/lexical.py",
    "index/inverted/selection.py",
)
"""From `Collection.search`, which `api/serving/calls.py` calls, to the kernels of a segment."""


def files(frame: FrameType | None) -> list[str]:
    """Project files on the call stack, outermost first; consecutive duplicates are removed."""
    found: list[str] = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(HOUSE) and path.relative_to(HOUSE).parts[0] != "tests":
            name = path.relative_to(HOUSE).as_posix()
            if not found or found[-1] != name:
                found.append(name)
        frame = frame.f_back
    return found[::-1]


@pytest.fixture
def birds(tmp_path, monkeypatch):
    # The first kernels of a process are interpreted, by functions of their own.
    monkeypatch.setattr(interpreting._ALLOWANCE, "left", -1)
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    with Collection.create(tmp_path / "birds", config) as collection:
        collection.add({"id": str(n), "text": f"kiwi number {n}"} for n in range(40))
        collection.seal()
        collection.search("kiwi 7")  # Loads and compiles everything.
        yield collection


def test_a_query_passes_six_files_to_the_kernel(birds):
    ways: set[tuple[str, ...]] = set()

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            ways.add(tuple(files(frame)))

    sys.setprofile(watch)
    try:
        birds.search("kiwi 8")
    finally:
        sys.setprofile(None)
    assert WAY in ways
    assert len(WAY) <= 5  # The sixth is `api/serving/calls.py`.
    twice = [way for way in ways if len({*way}) < len(way)]
    assert twice == []
