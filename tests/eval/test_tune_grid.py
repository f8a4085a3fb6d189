"""The configurations of a grid, and the skipped ones with their reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from twindex.core import ConfigError, SourceError
from twindex.eval.tuning import Grid, default_grid, label
from twindex.eval.tuning.grid import plan
from twindex.index import STRUCTURES, VectorStorage


def no_obstacle(storage: VectorStorage) -> str | None:
    return None


def test_default_grid_is_valid_with_unique_names() -> None:
    grid = default_grid()
    planned = plan(grid, no_obstacle)
    assert not planned.skipped
    names = [label(storage) for storage in planned.storages]
    assert len(set(names)) == len(names) <= 60
    assert {storage.index.kind for storage in planned.storages} == set(STRUCTURES)
    assert names[0] == "flat float32"
    assert "flat int8 pca 25 % codes only" in names
    for storage in planned.storages:
        assert grid.targets(storage) == ((None,) if storage.index.kind == "flat" else grid.recall)


def test_blocks_are_products_and_unsupported_ones_are_skipped() -> None:
    grid = Grid.parse(
        {
            "recall": [0.9],
            "block": [
                {
                    "index": ["flat", {"kind": "ivf", "lists": 64}, "hnsw"],
                    "codec": ["int8", {"kind": "pq", "bits": 8}],
                    "projection": ["none", "pca:0.5", "random:8"],
                }
            ],
        }
    )
    planned = plan(grid, no_obstacle)
    names = [label(storage) for storage in planned.storages]
    assert len(names) == 3 * 3 + 2 * 3
    assert "ivf lists=64 pq bits=8 random 8" in names
    assert {item.name for item in planned.skipped} == {
        "hnsw pq bits=8", "hnsw pq bits=8 pca 50 %", "hnsw pq bits=8 random 8"
    }  # fmt: skip
    assert "does not support codec pq" in planned.skipped[0].reason
    twice = grid.model_copy(update={"block": grid.block * 2})
    assert plan(twice, no_obstacle) == planned


def test_only_restricts_the_grid() -> None:
    planned = plan(default_grid(), no_obstacle, {"index": ["ivf"], "codec": ["int8", "pq"]})
    assert [label(storage) for storage in planned.storages] == [
        "ivf pq", "ivf int8", "ivf int8 codes only", "ivf int8 pca 50 %", "ivf int8 pca 25 %"
    ]  # fmt: skip
    planned = plan(default_grid(), no_obstacle, {"index": ["ivf"], "projection": ["pca:0.25"]})
    assert [label(storage) for storage in planned.storages] == ["ivf int8 pca 25 %"]
    projections = Grid.parse(
        {
            "block": [
                {"index": ["flat"], "projection": ["none", "pca:8", {"kind": "pca", "share": 1}]}
            ]
        }
    )
    planned = plan(projections, no_obstacle, {"projection": ["pca:8", "none"]})
    assert [label(storage) for storage in planned.storages] == ["flat", "flat pca 8"]
    planned = plan(default_grid(), no_obstacle, {"index": ["scann"], "codec": ["scann"]})
    assert [label(storage) for storage in planned.storages] == ["scann"]
    with pytest.raises(ConfigError, match=r"codec: the grid has no 'int9'; it has binary, "):
        plan(default_grid(), no_obstacle, {"codec": ["int8", "int9"]})
    with pytest.raises(ConfigError, match="grid: no combination can be measured"):
        plan(default_grid(), no_obstacle, {"index": ["hnsw"], "codec": ["pq"]})
    with pytest.raises(ConfigError, match="no combination can be measured; flat float32: no"):
        plan(default_grid(), lambda storage: "no")


def test_storages_with_an_obstacle_are_skipped() -> None:
    planned = plan(default_grid(), lambda s: "too few" if s.index.kind == "spann" else None)
    assert {item.reason for item in planned.skipped} == {"too few"}
    assert all(item.name.startswith("spann") for item in planned.skipped)


def test_targets_depend_on_the_index() -> None:
    grid = Grid.parse({"recall": [0.9, 0.95], "block": [{"index": ["ivf"]}]})
    assert grid.with_recall(None) is grid
    assert grid.with_recall(0.9) is grid
    more = grid.with_recall(0.93)
    assert more.targets(VectorStorage.parse({"index": {"kind": "ivf"}})) == (0.9, 0.93, 0.95)
    for index in (
        {"kind": "ivf", "recall": 0.8},
        {"kind": "ivf", "nprobe": 3},
        {"kind": "hnsw", "ef_search": 40},
        {"kind": "flat"},
    ):
        assert more.targets(VectorStorage.parse({"index": index})) == (None,)


def test_grid_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text('recall = [0.9]\n[[block]]\nindex = ["flat"]\ncodec = ["int8", "int4"]\n')
    names = [label(storage) for storage in plan(Grid.read(path), no_obstacle).storages]
    assert names == ["flat int8", "flat int4"]
    for text, message in (
        ("recall = [2]\n[[block]]\nindex = ['flat']\n", r"recall\[0\]: must be a number above 0"),
        ("[[block]]\nindex = ['flag']\n", r"block\[0\]\.index\[0\]: "),
        ("[[block]]\nindex = ['flat']\nprojection = ['pca']\n", "exactly one of `dimensions`"),
        ("block = []\n", "block: "),
        (
            "[[block]]\nindex = ['flat']\ncodecs = ['pq']\n",
            "codecs: unknown field; did you mean `codec`",
        ),
        ("[[", "is not valid TOML"),
    ):
        path.write_text(text)
        with pytest.raises(SourceError, match=message) as caught:
            Grid.read(path)
        assert str(caught.value).startswith(str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(SourceError, match="is not valid TOML"):
        Grid.read(path)
    with pytest.raises(SourceError, match="cannot be read"):
        Grid.read(tmp_path / "absent.toml")
