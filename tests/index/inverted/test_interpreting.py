"""Kernels are interpreted while there is little to compute, with equal results."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from twindex.core import Representation, TermCounts
from twindex.index import LexicalLeg, SparseLeg, interpreting
from twindex.index.interpreting import STEPS, compile_always, interpreted_first
from twindex.index.inverted.lexical import LexicalSegment
from twindex.index.inverted.lexical_delta import LexicalDelta
from twindex.index.inverted.sparse import SparseSegment
from twindex.index.inverted.sparse_delta import SparseDelta
from twindex.index.protocol import Scored

Ranked = tuple[NDArray[Any], NDArray[Any]]


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 600), k=st.integers(1, 30))
@pytest.mark.parametrize("leg", ["lexical", "sparse"])
def test_interpreted_and_compiled_kernels_give_the_same_bits(
    leg: str, seed: int, rows: int, k: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    allowed = rng.random(rows) < 0.7
    for part, queries in _parts(leg, rng, rows, tmp_path_factory):
        for mask in (None, allowed):
            found = {}
            for way, left in (("interpreted", sys.maxsize), ("compiled", -1)):
                _forget_compiled()
                interpreting._ALLOWANCE.left = left
                found[way] = _search(part, queries, k, mask)
            for interpreted, compiled in zip(*found.values(), strict=True):
                assert interpreted.tobytes() == compiled.tobytes()


def _parts(leg: str, rng: Any, rows: int, folders: pytest.TempPathFactory) -> Any:
    if leg == "lexical":
        texts: list[TermCounts] = [
            {f"t{term}": int(rng.integers(1, 5)) for term in rng.zipf(1.6, 6) if term < 40}
            for _ in range(rows)
        ]
        content = Representation(terms=texts)
        queries = Representation(terms=[{"t1": 1, "t2": 2}, {"t9": 1}, {"t30": 1, "absent": 1}])
        config: Any = LexicalLeg()
        classes: Any = (LexicalSegment, LexicalDelta)
    else:
        dense = np.where(rng.random((rows, 12)) < 0.3, rng.random((rows, 12)), 0)
        content = Representation(sparse=csr_array(dense.astype(np.float32)))
        queries = Representation(sparse=csr_array(np.eye(12, dtype=np.float32)[:4] * 1.3))
        config, classes = SparseLeg(), (SparseSegment, SparseDelta)
    folder = folders.mktemp("part")
    classes[0].build(folder, content, config)
    delta = classes[1](config)
    delta.append(content)
    return [(classes[0].open(folder, config), queries), (delta, queries)]


def _search(part: Any, queries: Representation, k: int, mask: Any) -> Ranked:
    if hasattr(part, "statistics"):
        part = Scored(part, part.statistics(queries, mask))
    ranking = part.search(queries, k, mask)
    return ranking.rows, ranking.scores


def _forget_compiled() -> None:
    from twindex.index.inverted import log, postings, scoring, selection

    for module in (log, postings, scoring, selection):
        for kernel in vars(module).values():
            if isinstance(kernel, interpreting.InterpretedFirst):
                kernel._compiled = None


def test_a_kernel_is_compiled_when_the_steps_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreting._ALLOWANCE, "left", STEPS)

    @interpreted_first(lambda number: number)
    def twice(number: int) -> int:
        return 2 * number

    assert [twice(STEPS - 1), twice(1)] == [2 * STEPS - 2, 2]
    assert twice._compiled is None
    assert twice(1) == 2
    assert twice._compiled is not None
    assert twice(STEPS) == 2 * STEPS


def test_nothing_is_interpreted_after_compile_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreting._ALLOWANCE, "left", STEPS)
    compile_always()

    @interpreted_first(lambda: 0)
    def one() -> int:
        return 1

    assert one() == 1
    assert one._compiled is not None


FIRST_SEARCHES = """
import sys
import twindex

config = {"legs": {"lexical": {"kind": "lexical"}}}
with twindex.create(sys.argv[1], config) as collection:
    collection.add([{"id": str(i), "text": f"common term{i}"} for i in range(3000)])
    for _ in range(2):
        assert collection.search("term7").hits[0].id == "7"
    print("numba" in sys.modules)
    for _ in range(100):
        assert len(collection.search("common").hits) == 10
    print("numba" in sys.modules)
"""


@pytest.mark.slow
def test_a_short_program_needs_no_compiler_and_a_long_one_gets_it(tmp_path: Any) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FIRST_SEARCHES, str(tmp_path / "c")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout.split() == ["False", "True"], ran.stderr
