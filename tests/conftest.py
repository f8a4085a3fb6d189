"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# No test may reach a model hub, whatever the developer's environment says.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test collections, beside the checkout (or in TWINDEX_DATA)."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TWINDEX_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"needs the test collections, and {folder} does not exist (set TWINDEX_DATA)")
    return folder
