"""Searches on a GPU equal those on a CPU. Without a GPU, its code is not used."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from twindex.core import NoProgress
from twindex.index import VectorStorage
from twindex.index.structures.ivf import coarse, gpu
from twindex.index.structures.ivf.ivf import IvfLists

from .sources import Source

needs_gpu = pytest.mark.skipif(
    not (hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus()),
    reason="needs a GPU and the FAISS of the extra gpu",
)


def held(rows: int, width: int) -> Source:
    """Return random vectors."""
    made = np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)
    return Source(made / np.linalg.norm(made, axis=1, keepdims=True))


@needs_gpu
def test_centres_from_a_gpu_are_as_good_as_from_a_cpu() -> None:
    sample = held(20_000, 64).vectors
    plain = faiss.Kmeans(64, 100, niter=10, spherical=True, seed=coarse.SEED)
    plain.train(sample)
    found = coarse.centres(sample, 100)
    means = [float((sample @ c.T).max(axis=1).mean()) for c in (plain.centroids, found)]
    assert means[1] == pytest.approx(means[0], rel=0.01)


@needs_gpu
@pytest.mark.parametrize("codec", ["float32", "float16", "int8"])
def test_searches_on_a_gpu_equal_those_on_a_cpu(codec: str, tmp_path: Path) -> None:
    source = held(20_000, 64)
    storage = VectorStorage.parse(
        {"index": {"kind": "ivf", "lists": 100}, "codec": {"kind": codec}}
    )
    IvfLists.build(tmp_path, source, storage, 1 << 26, NoProgress())
    structure = IvfLists.open(tmp_path, storage)
    copy = gpu.on_devices(structure._index)
    assert copy is not None
    rung = {"nprobe": 20, "oversample": 1}
    found = structure.search(source.vectors[:100], 10, rung, None)
    everything = np.ones(len(source), np.bool_)  # With a filter the CPU searches.
    expected = structure.search(source.vectors[:100], 10, rung, everything)
    assert np.mean(found.rows == expected.rows) > 0.99
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)


@pytest.mark.skipif(gpu.device_count() > 0, reason="there is a GPU")
def test_without_a_gpu_no_index_is_copied() -> None:
    assert gpu.on_devices(faiss.IndexFlatIP(4)) is None
