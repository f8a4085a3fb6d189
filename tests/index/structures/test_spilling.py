"""The second list of each vector, against a literal implementation of the formula."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import ConfigError
from twindex.index import DenseLeg, IvfConfig
from twindex.index.protocol import Ranking
from twindex.index.structures.ivf.spilling import CANDIDATES, WEIGHT, distinct, two_lists


@pytest.mark.parametrize("lists", [2, 9, 40])
def test_the_second_list_minimises_the_formula(lists: int) -> None:
    rng = np.random.default_rng(lists)
    vectors = rng.standard_normal((200, 12)).astype(np.float32)
    centres = rng.standard_normal((lists, 12)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    exact = faiss.IndexFlatIP(12)
    exact.add(centres)
    found = two_lists(vectors, centres, exact)
    for x, (first, second) in zip(vectors.astype(np.float64), found, strict=True):
        nearest = np.argsort(-(centres @ x))[:CANDIDATES]
        assert first == nearest[0]
        r = x - centres[first]
        costs = []
        for c in nearest[1:]:
            other = x - centres[c]
            along = other @ r / np.linalg.norm(r)
            costs.append(other @ other + float(WEIGHT) * along**2)
        assert costs[list(nearest[1:]).index(second)] == pytest.approx(min(costs), rel=1e-4)


@settings(deadline=None)
@given(
    lines=st.lists(st.lists(st.integers(0, 8), max_size=12)),
    scores_of=st.lists(st.integers(0, 2), min_size=9, max_size=9),
    k=st.integers(1, 6),
)
def test_distinct_keeps_each_row_once(lines: list[list[int]], scores_of: list[int], k: int) -> None:
    """Repeated rows have equal scores. Lines are ordered by score and padded."""
    rows = np.full((len(lines), 12), -1, np.int64)
    scores = np.full((len(lines), 12), -np.inf, np.float32)
    expected = []
    for number, line in enumerate(lines):
        ordered = sorted(line, key=lambda row: -scores_of[row])
        rows[number, : len(line)] = ordered
        scores[number, : len(line)] = [scores_of[row] for row in ordered]
        once = list(dict.fromkeys(ordered))[:k]
        expected.append(once + [-1] * (k - len(once)))
    found = distinct(Ranking(rows, scores), k)
    assert found.rows.tolist() == expected
    assert (np.isneginf(found.scores) == (found.rows < 0)).all()


def test_only_small_codes_are_in_two_lists() -> None:
    ivf = {"kind": "ivf", "replicas": 2}

    def lists(**fields: object) -> int:
        leg = DenseLeg.parse(fields)
        assert isinstance(leg.index, IvfConfig)
        return leg.index.lists_of_each(leg.storage.used_codec)

    assert lists(index={"kind": "ivf"}) == 2
    assert lists(index={"kind": "ivf"}, codec={"kind": "int8"}) == 1
    assert lists(index={"kind": "ivf", "replicas": 1}) == 1
    with pytest.raises(ConfigError, match=r"index\.replicas"):
        DenseLeg.parse({"index": ivf, "codec": {"kind": "int8"}})
    with pytest.raises(ConfigError, match=r"index\.replicas"):
        DenseLeg.parse({"index": ivf, "codec": {"kind": "pq", "bits": 8}})
