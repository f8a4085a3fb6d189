"""Helpers for tests of the parts of legs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from twindex.core import Representation
from twindex.index import LegConfig
from twindex.index.protocol import LegPart, Mask, Ranking

from ..house import scaled

examples = settings(deadline=None, max_examples=scaled(60))
seeds = st.integers(0, 2**32 - 1)


def mask(rng: np.random.Generator, rows: int, share: float | None) -> Mask | None:
    return None if share is None else rng.random(rows) < share


def same(one: Ranking, other: Ranking) -> None:
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert (one.rows.dtype, one.scores.dtype) == (np.int64, np.float32)


def ranked(
    scores: Sequence[NDArray[Any]], k: int, allowed: Mask | None, *, least: float = -np.inf
) -> Ranking:
    """Return the best k allowed rows of each query, by given scores above `least`."""
    shape = (len(scores), k)
    found = Ranking(np.full(shape, -1, np.int64), np.full(shape, -np.inf, np.float32))
    for index, own in enumerate(scores):
        eligible = (own > least) if allowed is None else (own > least) & allowed
        order = np.lexsort((np.arange(len(own)), -own))
        best = order[eligible[order]][:k]
        found.rows[index, : len(best)], found.scores[index, : len(best)] = best, own[best]
    return found


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def built(directory: Path, leg: LegConfig, rows: Representation) -> Any:
    """Build a segment part in a new directory and open it."""
    directory.mkdir(exist_ok=True)
    leg.segment_part().build(directory, rows, leg)
    return leg.segment_part().open(directory, leg)


def merged(
    root: Path, leg: LegConfig, sources: Iterable[tuple[Representation, Mask | None]], memory: int
) -> Path:
    """Build parts, merge them, and return the directory of the merged part."""
    opened = [(built(root / str(i), leg, rows), live) for i, (rows, live) in enumerate(sources)]
    (root / "merged").mkdir()
    leg.segment_part().merge(root / "merged", opened, leg, memory)
    return root / "merged"


@contextmanager
def segment(leg: LegConfig, rows: Representation) -> Iterator[Any]:
    with TemporaryDirectory() as directory:
        yield built(Path(directory), leg, rows)


def delta(leg: LegConfig, *batches: Representation) -> Any:
    part = leg.delta_part()(leg)
    for batch in batches:
        part.append(batch)
    return part


def alone_and_together(
    parts: Sequence[LegPart], queries: Sequence[Representation], k: int, allowed: Mask | None
) -> Iterator[tuple[Ranking, Ranking]]:
    """Yield the result of each search twice: run alone, and run with others in threads."""
    jobs = [(part, query) for query in queries for part in parts]

    def run(job: tuple[LegPart, Representation]) -> Ranking:
        return job[0].search(job[1], k, allowed)

    alone = [run(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        yield from zip(alone, pool.map(run, jobs), strict=True)
