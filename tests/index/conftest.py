"""Fixtures of the index's tests."""

from __future__ import annotations

import pytest

from twindex.index import interpreting


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data of tests is small and would be interpreted: test the compiled kernels."""
    monkeypatch.setattr(interpreting._ALLOWANCE, "left", -1)
