"""The scann index against all inner products in numpy, and the error without ScaNN."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from twindex.core import ConfigError, MissingExtraError, NoProgress
from twindex.index import VectorStorage
from twindex.index.structures.scann.scann import ScannTree

from .sources import Source

needs_scann = pytest.mark.skipif(find_spec("scann") is None, reason="needs the extra scann")
STORAGE = VectorStorage.parse({"index": {"kind": "scann", "leaves": 40}})
ROWS, WIDTH, K = 3_000, 32, 10


def held(rows: int, seed: int) -> Source:
    """Return vectors around 40 centres, of unequal lengths."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((40, WIDTH))
    made = centres[rng.integers(0, 40, rows)] + 0.7 * rng.standard_normal((rows, WIDTH))
    made *= rng.uniform(0.8, 1.2, (rows, 1)) / np.linalg.norm(made, axis=1, keepdims=True)
    return Source(made.astype(np.float32))


@needs_scann
@pytest.mark.parametrize("share", [None, 0.0, 0.05, 0.5])
def test_search_returns_good_allowed_candidates(share: float | None, tmp_path: Path) -> None:
    source, queries = held(ROWS, 1), held(30, 2).vectors
    allowed = None if share is None else np.random.default_rng(3).random(ROWS) < share
    ScannTree.build(tmp_path, source, STORAGE, 1 << 20, NoProgress())
    # The files may be moved.
    moved = tmp_path.parent / (tmp_path.name + "-moved")
    tmp_path.rename(moved)
    structure = ScannTree.open(moved, STORAGE)
    assert len(structure) == ROWS
    assert structure.memory > ROWS * WIDTH / 8
    found = structure.search(queries, 8 * K, structure.ladder()[-1], allowed)
    assert found.rows.dtype == np.int64
    assert (found.scores[:, :-1] >= found.scores[:, 1:]).all()
    assert np.isneginf(found.scores[found.rows < 0]).all()
    if share == 0.0:
        assert (found.rows == -1).all()
        return
    scores = queries @ source.vectors.T
    if allowed is not None:
        assert allowed[found.rows[found.rows >= 0]].all()
        scores[:, ~allowed] = -np.inf
    true = np.argsort(-scores, axis=1)[:, :K]
    assert np.mean([np.isin(t, f) for t, f in zip(true, found.rows, strict=True)]) > 0.95


@needs_scann
def test_damaged_files_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="scann_shape"):
        ScannTree.open(tmp_path, STORAGE)
    ScannTree.build(tmp_path, held(ROWS, 1), STORAGE, 1 << 20, NoProgress())
    (tmp_path / "scann_docids.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match="pickle"):
        ScannTree.open(tmp_path, STORAGE)
    (tmp_path / "scann_docids.pkl").unlink()
    (tmp_path / "scann_assets.pbtxt").unlink()
    with pytest.raises(OSError, match="scann_assets"):
        ScannTree.open(tmp_path, STORAGE)


def test_a_configuration_without_originals_is_rejected(tmp_path: Path) -> None:
    storage = STORAGE.model_copy(update={"originals": "none"})
    with pytest.raises(ConfigError, match="originals: ScaNN cannot decode vectors"):
        ScannTree.build(tmp_path, held(100, 1), storage, 1 << 20, NoProgress())


def test_a_missing_package_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scann.scann_ops.py.scann_ops_pybind", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'twindex\[scann\]'"):
        ScannTree.open(tmp_path, STORAGE)
    with pytest.raises(MissingExtraError, match="scann is not installed"):
        ScannTree.build(tmp_path, held(100, 1), STORAGE, 1 << 20, NoProgress())
