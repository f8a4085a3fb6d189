"""Documents for tests of filters, and the values that the tests compare with their fields."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import strategies as st

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "year": st.sampled_from([1990, 1995, 2000.0, 1995.5]),
    "name": st.sampled_from(["ara", "Ara", "emu", ""]),
    "tags": st.sampled_from(["air", "land"]),
}
"""Name of a field -> values to compare."""
METADATA: dict[str, dict[str, Any]] = {
    f"{year}-{name}-{number}": {
        key: value
        for key, value in (("year", year), ("name", name), ("tags", tags))
        if value is not None
    }
    for number, (year, name, tags) in enumerate(
        product((None, 1990, 1995.5, 2000), (None, "ara", "emu", ""), (None, [], ["air", "land"]))
    )
}
"""Id of a document -> its metadata."""
